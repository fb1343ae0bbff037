"""Recordings for the tests: values to transcripts, and where the larger collection lies."""

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from plugin.harness import transcript
from plugin.harness.transcript import Reply, Unreadable
from plugin.messages import Call

SAMPLES = Path(__file__).parent / "samples"
CORPUS = Path(__file__).parents[3] / "shared" / "corpus" / "calls"

needs_corpus = pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpus of calls is not here")


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
