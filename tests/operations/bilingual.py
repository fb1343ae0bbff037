"""A small handbook in English and Chinese, with questions and the document that answers each."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SAMPLE = json.loads((Path(__file__).parent / "samples" / "bilingual.json").read_text("utf-8"))
FLOOR_AT_1, FLOOR_AT_3 = 0.95, 0.98
QUESTIONS: list[dict[str, str]] = SAMPLE["questions"]


@dataclass(frozen=True)
class Answered:
    """A question, and the place of the right document among the found ones, 0 for the first."""

    question: str
    place: int | None


def documents() -> list[dict[str, Any]]:
    """As upsert_documents takes them."""
    return [
        {"id": one["id"], "text": one["text"], "metadata": {"title": one["title"]}}
        for one in SAMPLE["documents"]
    ]


def ask(query: Callable[[Any], Any]) -> Iterator[Answered]:
    """Every question; `query` takes the body of query_documents and gives its reply."""
    for one in QUESTIONS:
        [result] = query({"queries": [{"query": one["q"], "top_k": 3}]})["results"]
        found = [chunk["metadata"]["document_id"] for chunk in result["results"]]
        yield Answered(one["q"], found.index(one["id"]) if one["id"] in found else None)


def recall(answered: list[Answered], most: int) -> float:
    """The share of questions whose document is among the first `most`."""
    return sum(one.place is not None and one.place < most for one in answered) / len(answered)
