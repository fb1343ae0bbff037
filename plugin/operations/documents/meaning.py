"""What vectors add to documents: made for what is stored, and compared with what is asked.

Words go on without them: a model that is missing, slow or broken costs a caller a moment at most,
and then nothing for a while.
"""

import asyncio
import logging
import time
from array import array
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from importlib.util import find_spec

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from plugin.errors import PluginError
from plugin.operations.documents.filling import REFUSALS, Filling, forget_odd
from plugin.operations.documents.nearness import Nearness, OddVectorsError, nearest
from plugin.operations.documents.store import Prepared
from plugin.operations.documents.vectors import Made, about
from plugin.operations.resources import Embedder
from plugin.pools.threads import Threads

log = logging.getLogger(__name__)

_MOST_AT_ONCE = 8
"""Chunks whose vectors a store waits for; a longer text gets them in the background."""

_NEAREST = 200


class Meaning:
    """The vectors of documents; `patience` is in seconds, for a question and for a store."""

    def __init__(
        self,
        database: AsyncEngine,
        embedder: Embedder,
        threads: Threads,
        *,
        clock: Callable[[], float] = time.time,
        patience: float = 1.0,
        rest: float = 5.0,
    ) -> None:
        self._database = database
        self._embedder = embedder
        self._threads = threads
        self._clock = clock
        self._patience = patience
        self._rest = rest
        self._resting_until = 0.0
        self._nearness = Nearness(threads)
        self._filling = Filling(database, embedder, clock)

    @property
    def least(self) -> float:
        """The cosine below which two texts have nothing to do with each other."""
        return self._embedder.least

    def start(self) -> None:
        """Begin to make what is missing."""
        self._filling.start()

    async def close(self) -> None:
        """Stop."""
        await self._filling.close()

    def wake(self) -> None:
        """Say that something was stored without vectors."""
        self._filling.wake()

    async def of_stored(self, prepared: Sequence[Prepared]) -> Made | None:
        """The vectors of documents that are about to be stored; None if they must come later."""
        texts = [
            about(one.document["title"], chunk["text"]) for one in prepared for chunk in one.chunks
        ]
        if len(texts) > _MOST_AT_ONCE:
            return None
        vectors = await self._embed(texts)
        if vectors is None:
            return None
        rest = iter(vector.tobytes() for vector in vectors)
        made = {one.document["id"]: [next(rest) for _ in one.chunks] for one in prepared}
        return Made(self._embedder.model, made)

    async def of_questions(self, questions: Sequence[str]) -> "dict[str, array[float]]":
        """The vectors of the questions that the model reads, as far as it answers."""
        vectors = await self._embed(questions) or []
        return {
            question: vector
            for question, vector in zip(questions, vectors, strict=False)
            if len(vector)
        }

    async def nearest(
        self,
        connection: AsyncConnection,
        caller_id: str,
        question: "array[float]",
        also: Collection[int],
        allowed: Collection[int] | None,
    ) -> Mapping[int, float]:
        """The cosines of the caller's nearest chunks and of those in `also`, by serial.

        Only chunks in `allowed` have one, where it is given.
        """
        try:
            held = await self._nearness.held(connection, caller_id, self._embedder.model)
            return await self._threads.run(nearest, held, question, also, allowed, _NEAREST)
        except OddVectorsError:
            log.warning("%s answers with vectors of a new length", self._embedder.model)
            await forget_odd(self._database, caller_id, self._embedder.model, len(question))
            self.wake()
            return {}

    async def _embed(self, texts: Sequence[str]) -> "list[array[float]] | None":
        """A vector for each text, empty for those that the model does not read."""
        read = [text for text in texts if self._embedder.reads(text)]
        if read and self._clock() < self._resting_until:
            return None
        try:
            async with asyncio.timeout(self._patience):
                made = iter(await self._embedder.embed(read) if read else [])
        except REFUSALS:
            return None
        except (PluginError, TimeoutError):
            self._resting_until = self._clock() + self._rest
            return None
        return [next(made) if self._embedder.reads(text) else array("f") for text in texts]


@asynccontextmanager
async def open_meaning(
    database: AsyncEngine, embedder: Embedder | None, threads: Threads
) -> AsyncIterator[Meaning | None]:
    """The vectors of documents, made while this is open; None without a model or without numpy."""
    if embedder is None or find_spec("numpy") is None:
        yield None
        return
    meaning = Meaning(database, embedder, threads)
    meaning.start()
    try:
        yield meaning
    finally:
        await meaning.close()
