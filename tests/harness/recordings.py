"""Recordings for the tests: values as transcripts, our own samples, and the real collection."""

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from plugin.contract.declared import read_tools
from plugin.harness import transcript
from plugin.harness.judge import Judge
from plugin.harness.transcript import Reply, Unreadable
from plugin.messages import Call

SAMPLES = Path(__file__).parent / "samples"
CORPUS = Path(__file__).parents[3] / "shared" / "corpus" / "calls"

needs_corpus = pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpus of calls is not here")


@dataclass(frozen=True)
class Collection:
    """Files of recordings.

    `wire` holds provider replies. `talks` holds conversations with tool calls: each row has its
    messages under the key that `messages` names, and `tools` holds the tools of them all. `answers`
    holds the accepted answers to questions; the questions are in files of the same names without
    `.answers`.
    """

    wire: Path
    talks: Path
    messages: str
    tools: Path
    answers: tuple[Path, ...]

    def judge_of_talks(self) -> Judge:
        return Judge(read_tools(json.loads(self.tools.read_bytes())))

    def answered(self) -> Iterator[tuple[str, Judge, tuple[Call, ...]]]:
        """Each answered question: its id, the judge of its functions, the accepted calls."""
        for path in self.answers:
            questions = path.with_name(path.name.replace(".answers", ""))
            functions = {row["id"]: row["function"] for row in lines_of(questions)}
            for row in lines_of(path):
                calls = tuple(
                    Call(None, name, json.dumps(chosen(accepted)))
                    for answer in row["ground_truth"]
                    for name, accepted in answer.items()
                )
                yield row["id"], Judge(read_tools(functions[row["id"]])), calls


COLLECTIONS = {
    "samples": Collection(
        wire=SAMPLES / "wire.jsonl",
        talks=SAMPLES / "desk.jsonl",
        messages="messages",
        tools=SAMPLES / "desk_tools.json",
        answers=(SAMPLES / "questions.answers.jsonl",),
    ),
    "collection": Collection(
        wire=CORPUS / "wire_interactions.jsonl",
        talks=CORPUS / "tau_gpt4o_airline.jsonl",
        messages="traj",
        tools=CORPUS / "tau_airline_tools.json",
        answers=tuple(sorted(CORPUS.glob("bfcl_v4_*.answers.quarter.jsonl"))),
    ),
}

EACH = [pytest.param("samples"), pytest.param("collection", marks=needs_corpus)]
"""The names of the collections: our samples always, the real recordings where they are."""


def read(data: bytes) -> list[Reply | Unreadable]:
    return list(transcript.read(io.BytesIO(data)))


def read_values(*values: Any) -> list[Reply | Unreadable]:
    """The replies of JSON lines."""
    return read(b"".join(json.dumps(value).encode() + b"\n" for value in values))


def replies(*values: Any) -> list[Reply]:
    found = read_values(*values)
    assert all(isinstance(one, Reply) for one in found), found
    return [one for one in found if isinstance(one, Reply)]


def the_reply(value: Any, form: str) -> tuple[Call, ...]:
    """The calls of a value that holds one reply of one format."""
    (reply,) = replies(value)
    assert reply.format == form
    return reply.calls


def stream(*events: Any, done: bool = False, named: bool = False, end: str = "\n") -> str:
    """Events as a provider sends them; `named` ones carry their type in an `event:` line."""
    lines = []
    for event in events:
        if named:
            lines.append(f"event: {event['type']}")
        lines += [f"data: {json.dumps(event)}", ""]
    if done:
        lines += ["data: [DONE]", ""]
    return "".join(line + end for line in lines)


def in_pieces(text: str, size: int = 5) -> list[str]:
    return [text[start : start + size] for start in range(0, len(text), size)]


def lines_of(path: Path) -> list[Any]:
    with path.open(encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def chosen(accepted: Any) -> Any:
    """The benchmark's first accepted value; objects in it hold lists of accepted values again."""
    if isinstance(accepted, list):
        return [chosen(value) for value in accepted]
    if isinstance(accepted, dict):
        return {key: chosen(values[0]) for key, values in _given(accepted)}
    return accepted


def _given(accepted: dict[str, Any]) -> Iterator[tuple[str, list[Any]]]:
    """The arguments that an answer gives; an empty text among the choices means "left out"."""
    for key, values in accepted.items():
        present = [value for value in values if value != ""] if isinstance(values, list) else []
        if present:
            yield key, present
