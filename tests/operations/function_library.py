"""Descriptions of functions as documents, and what people asked of them: retrieval by paraphrase.

Our own are in `tests/samples/functions`. Those of the Berkeley Function-Calling Leaderboard
(bfcl-eval, Apache-2.0) are added where `CALLS` exists. A question is answered when one of the
functions comes that its accepted answers call.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

OWN = Path(__file__).parents[1] / "samples" / "functions"
CALLS = Path(__file__).parents[3] / "shared" / "corpus" / "calls"
_FILES = (
    "live_simple",
    "live_multiple",
    "multiple",
    "simple_python",
    "parallel",
    "parallel_multiple",
)
LONGEST_QUESTION = 1_000
DEPTH = 20


@dataclass(frozen=True)
class Question:
    """A question, the functions offered with it, and those that answer it."""

    id: str
    text: str
    offered: frozenset[str]
    answers: frozenset[str]

    @property
    def half(self) -> int:
        """0: for choosing how to rank; 1: held back, for telling how good it is."""
        return hashlib.sha256(self.id.encode()).digest()[0] % 2


Loaded = tuple[dict[str, str], list[Question]]
"""Documents, each under the name of its function, and questions."""


@dataclass(frozen=True)
class Quality:
    """How well questions are answered, each number from 0 to 1."""

    recall_at_1: float
    recall_at_5: float
    mrr: float

    def __str__(self) -> str:
        return f"{self.recall_at_1:.3f}  {self.recall_at_5:.3f}  {self.mrr:.3f}"


def load() -> Loaded:
    """Return the leaderboard's functions and questions where they exist, our own otherwise."""
    return real() if CALLS.is_dir() else own()


def own() -> Loaded:
    """Return all our functions, and those of our questions that one of them answers."""
    answered = [row for row in own_rows() if row["ground_truth"]]
    return _documents(own_functions()), [_question(row) for row in answered]


def real() -> Loaded:
    """Return the leaderboard's functions and questions."""
    rows = list(_real_rows())
    functions = _documents(function for row in rows for function in row["function"])
    return functions, [_question(row) for row in rows]


def own_functions() -> list[dict[str, Any]]:
    """Return our function documents as they are written, types in Python's words."""
    return _lines(OWN / "functions.jsonl")


def own_rows() -> list[dict[str, Any]]:
    """Return our questions as rows like the leaderboard's.

    A row has `id`, `question` (turns of messages), `function` (documents) and `ground_truth`
    (accepted calls, none where no function fits), and also our `phrasing`: "plain" or "free".
    """
    functions = {one["name"]: one for one in own_functions()}
    return [
        {
            "id": row["id"],
            "phrasing": row["phrasing"],
            "question": [row["question"]],
            "function": [functions[name] for name in row["offered"]],
            "ground_truth": row["answers"],
        }
        for row in _lines(OWN / "questions.jsonl")
    ]


def quality(questions: Sequence[Question], found: Mapping[str, Sequence[str]]) -> Quality:
    """Of what was `found`: the names of functions, best first, by the id of the question."""
    places = [_place(one, found[one.id]) for one in questions]
    return Quality(
        sum(place == 0 for place in places) / len(places),
        sum(place is not None and place < 5 for place in places) / len(places),
        sum(0 if place is None else 1 / (place + 1) for place in places) / len(places),
    )


def _place(question: Question, names: Sequence[str]) -> int | None:
    distinct = list(dict.fromkeys(names))[:DEPTH]
    return next((at for at, name in enumerate(distinct) if name in question.answers), None)


def _documents(functions: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """The first function of each name, described."""
    found: dict[str, str] = {}
    for function in functions:
        found.setdefault(function["name"], _described(function))
    return found


def _question(row: Mapping[str, Any]) -> Question:
    said = [one["content"] for turn in row["question"] for one in turn]
    return Question(
        row["id"],
        said[-1][:LONGEST_QUESTION],
        frozenset(function["name"] for function in row["function"]),
        frozenset(called for call in row["ground_truth"] for called in call),
    )


def _real_rows() -> Iterator[dict[str, Any]]:
    for name in _FILES:
        answers = {row["id"]: row["ground_truth"] for row in _real_lines(f"{name}.answers")}
        for row in _real_lines(name):
            yield {**row, "ground_truth": answers[row["id"]]}


def _real_lines(name: str) -> list[dict[str, Any]]:
    return _lines(CALLS / f"bfcl_v4_{name}.quarter.jsonl")


def _lines(path: Path) -> list[dict[str, Any]]:
    with path.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def _described(function: Mapping[str, Any]) -> str:
    """Write a function down as a person would: its name in words, its purpose, its parameters."""
    words = function["name"].replace("_", " ").replace(".", " ")
    parameters = function["parameters"].get("properties", {})
    lines = [f"{name}: {one.get('description', '')}" for name, one in parameters.items()]
    return "\n\n".join([f"{words}: {function['description']}", "\n".join(lines)]).strip()
