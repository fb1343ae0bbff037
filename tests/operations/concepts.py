"""A model that knows a few words and which of them mean the same."""

import asyncio
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field

from plugin.errors import PluginError

_MEANINGS = (
    {"car", "automobile", "vehicle", "driving"},
    {"plums", "fruit", "pears", "apples"},
    {"refund", "money", "reimbursement"},
)
"""Words of one set mean the same."""


@dataclass
class Concepts:
    """An `Embedder` of ASCII texts; `fails` is raised instead of an answer, `takes` is in seconds.

    `longest` is the most characters that it takes; a text with the word `forbidden` it refuses.
    """

    model: str = "concepts"
    least: float = 0.2
    width: int = 5
    fails: PluginError | None = None
    refuses_texts: PluginError | None = None
    takes: float = 0.0
    longest: int = 10_000
    too_long: PluginError | None = None
    asked: list[str] = field(default_factory=list)

    def reads(self, text: str) -> bool:
        return text.isascii()

    async def embed(self, texts: Sequence[str]) -> "list[array[float]]":
        self.asked += texts
        await asyncio.sleep(self.takes)
        if self.fails is not None:
            raise self.fails
        if self.too_long is not None and any(len(text) > self.longest for text in texts):
            raise self.too_long
        if self.refuses_texts is not None and any("forbidden" in text for text in texts):
            raise self.refuses_texts
        return [self._vector(text) for text in texts]

    def _vector(self, text: str) -> "array[float]":
        words = text.lower().replace(".", " ").replace("?", " ").split()
        numbers = [float(len(meaning.intersection(words))) for meaning in _MEANINGS]
        numbers += [0.0] * (self.width - len(numbers) - 1)
        numbers.append(0.0 if any(numbers) else 1.0)
        length = sum(number * number for number in numbers) ** 0.5
        return array("f", [number / length for number in numbers])
