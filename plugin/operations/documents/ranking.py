"""The chunks that answer a question, by its words and by its meaning where a model reads it."""

from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from plugin.operations.documents import search as words
from plugin.operations.documents.fusion import fuse
from plugin.operations.documents.meaning import Meaning

_BY_WORDS = 200
"""How many chunks with words of a question are weighed against those that are near it."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, what found documents must be, and how many chunks are wanted.

    `vector` is the question's; without one its words alone count.
    """

    question: str
    wanted: words.Filter
    most: int
    vector: "array[float] | None" = None


async def best(
    connection: AsyncConnection, caller_id: str, asked: Asked, meaning: Meaning | None
) -> list[Mapping[Any, Any]]:
    """The best chunks of the caller's documents, best first: columns of both, and a score."""
    if meaning is None or asked.vector is None:
        scores = await words.by_words(
            connection, caller_id, asked.question, asked.wanted, asked.most
        )
    else:
        scores = await _by_both(connection, caller_id, asked, asked.vector, meaning)
    return await words.chunks(connection, caller_id, scores)


async def _by_both(
    connection: AsyncConnection,
    caller_id: str,
    asked: Asked,
    vector: "array[float]",
    meaning: Meaning,
) -> dict[int, float]:
    found = await words.by_words(connection, caller_id, asked.question, asked.wanted, _BY_WORDS)
    allowed = await words.fitting(connection, caller_id, asked.wanted)
    cosines = await meaning.nearest(connection, caller_id, vector, found, allowed)
    if not cosines:
        return dict(list(found.items())[: asked.most])
    scores = fuse(found, cosines, meaning.least)
    return dict(list(scores.items())[: asked.most])
