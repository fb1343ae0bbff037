"""Descriptions of functions as documents, and what people asked of them: retrieval by paraphrase.

From the Berkeley Function-Calling Leaderboard (bfcl-eval, Apache-2.0): a question is answered when
one of the functions comes that its accepted answers call.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
    """What somebody asked, the functions that he was offered, and those that answer."""

    id: str
    text: str
    offered: frozenset[str]
    answers: frozenset[str]

    @property
    def half(self) -> int:
        """0: for choosing how to rank; 1: held back, for telling how good it is."""
        return hashlib.sha256(self.id.encode()).digest()[0] % 2


@dataclass(frozen=True)
class Quality:
    """How well questions are answered, each number from 0 to 1."""

    recall_at_1: float
    recall_at_5: float
    mrr: float

    def __str__(self) -> str:
        return f"{self.recall_at_1:.3f}  {self.recall_at_5:.3f}  {self.mrr:.3f}"


def load() -> tuple[dict[str, str], list[Question]]:
    """The documents, each under the name of its function, and the questions."""
    functions: dict[str, str] = {}
    questions: list[Question] = []
    for name in _FILES:
        answers = {row["id"]: row["ground_truth"] for row in _rows(f"{name}.answers")}
        for row in _rows(name):
            for function in row["function"]:
                functions.setdefault(function["name"], _described(function))
            said = [one["content"] for turn in row["question"] for one in turn]
            questions.append(
                Question(
                    row["id"],
                    said[-1][:LONGEST_QUESTION],
                    frozenset(function["name"] for function in row["function"]),
                    frozenset(called for call in answers[row["id"]] for called in call),
                )
            )
    return functions, questions


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


def _rows(name: str) -> Iterator[Any]:
    with (CALLS / f"bfcl_v4_{name}.quarter.jsonl").open(encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def _described(function: Mapping[str, Any]) -> str:
    """As somebody would write it down: the name in words, what it does, its parameters."""
    words = function["name"].replace("_", " ").replace(".", " ")
    parameters = function["parameters"].get("properties", {})
    lines = [f"{name}: {one.get('description', '')}" for name, one in parameters.items()]
    return "\n\n".join([f"{words}: {function['description']}", "\n".join(lines)]).strip()
