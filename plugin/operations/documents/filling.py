"""Makes the vectors that chunks lack, in the background: a store never waits for a model."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from sqlalchemy import delete, exists, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from plugin.errors import ContextLengthExceeded, InvalidRequest, PluginError
from plugin.operations.documents.store import document_chunks, documents
from plugin.operations.documents.vectors import (
    FLOAT,
    about,
    document_filling,
    document_vectors,
    mark_changed,
    put,
)
from plugin.operations.resources import Embedder
from plugin.storage.database import FAILURES

log = logging.getLogger(__name__)

_BATCH = 8
_CLAIM = 60.0
"""Seconds that a batch may take before another process believes that this one is gone."""
_SHORTEST = 100

REFUSALS = (InvalidRequest, ContextLengthExceeded)
"""A model's word that it does not take a text: asking again will not help."""


_FAILED: tuple[type[Exception], ...] = (PluginError, TimeoutError, *FAILURES)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A chunk without a vector of the model, and the text that its vector is made of."""

    serial: int
    caller_id: str
    text: str


class Filling:
    """Fills while there is something to fill; of several processes one at a time does.

    It begins when started and when woken. A model that does not answer is asked again later, after
    `pause` seconds at first and ever more, up to `longest`.
    """

    def __init__(
        self,
        database: AsyncEngine,
        embedder: Embedder,
        clock: Callable[[], float],
        pause: float = 1.0,
        longest: float = 60.0,
    ) -> None:
        self._database = database
        self._embedder = embedder
        self._clock = clock
        self._pause = pause
        self._longest = longest
        self._wake = asyncio.Event()
        self._until = 0
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin with what is missing already."""
        self.wake()
        self._task = asyncio.create_task(self._run())

    def wake(self) -> None:
        """Look again: something was stored without vectors."""
        self._wake.set()

    async def close(self) -> None:
        """Stop; what is missing is made after the next start."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._until:
            with suppress(*FAILURES):
                await self._release()

    async def _run(self) -> None:
        failed = 0
        while True:
            if not failed:
                await self._wake.wait()
                self._wake.clear()
            try:
                await self._fill()
            except _FAILED as error:
                failed += 1
                if failed == 1:
                    log.info("vectors of documents are made later: %s", error)
                await asyncio.sleep(min(self._pause * 2 ** (failed - 1), self._longest))
            else:
                failed = 0

    async def _fill(self) -> None:
        """Until nothing is missing."""
        while missing := await self._missing():
            ours = bool(self._until)
            if not await self._claim():
                # Another process fills; it may end before it has seen what is missing here.
                await asyncio.sleep(self._pause)
            elif ours:
                await self._store(missing, await self._vectors(missing))
            # Else the claim is new: another process may have filled it since the look at what is
            # missing, so look again.
        if self._until:
            await self._release()

    async def _missing(self) -> list[Waiting]:
        async with self._database.connect() as connection:
            return await _waiting(connection, self._embedder.model, _BATCH)

    async def _vectors(self, missing: Sequence[Waiting]) -> dict[int, bytes]:
        read = [one for one in missing if self._embedder.reads(one.text)]
        made = dict.fromkeys((one.serial for one in missing), b"")
        async with asyncio.timeout(_CLAIM / 2):
            return made | await self._embedded(read)

    async def _embedded(self, read: Sequence[Waiting]) -> dict[int, bytes]:
        if not read:
            return {}
        try:
            vectors = await self._embedder.embed([one.text for one in read])
        except REFUSALS:
            return {one.serial: await self._alone(one.text) for one in read}
        return {one.serial: vector.tobytes() for one, vector in zip(read, vectors, strict=True)}

    async def _alone(self, text: str) -> bytes:
        """The vector of a text, or of its beginning; nothing for one that the model refuses."""
        while True:
            try:
                [vector] = await self._embedder.embed([text])
            except ContextLengthExceeded:
                if len(text) < _SHORTEST:
                    return b""
                text = text[: len(text) // 2]
            except InvalidRequest:
                return b""
            else:
                return vector.tobytes()

    async def _store(self, missing: Sequence[Waiting], made: Mapping[int, bytes]) -> None:
        async with self._database.begin() as connection:
            # Writes first: so nothing changes between the look at the texts and their vectors.
            await mark_changed(connection, (one.caller_id for one in missing))
            texts = await _texts(connection, list(made))
            same = [one for one in missing if texts.get(one.serial) == one.text]
            await put(
                connection, self._embedder.model, {one.serial: made[one.serial] for one in same}
            )

    async def _claim(self) -> bool:
        now = int(self._clock() * 1000)
        until = now + int(_CLAIM * 1000)
        free = (document_filling.c.until <= now) | (document_filling.c.until == self._until)
        async with self._database.begin() as connection:
            taken = await connection.execute(
                update(document_filling).where(free).values(until=until)
            )
        self._until = until if taken.rowcount else 0
        return bool(self._until)

    async def _release(self) -> None:
        mine = document_filling.c.until == self._until
        async with self._database.begin() as connection:
            await connection.execute(update(document_filling).where(mine).values(until=0))
        self._until = 0


async def _waiting(connection: AsyncConnection, model: str, most: int) -> list[Waiting]:
    chunk = document_chunks.c
    made = exists().where(
        document_vectors.c.chunk_serial == chunk.serial, document_vectors.c.model == model
    )
    missing = (
        select(chunk.serial, documents.c.caller_id, documents.c.title, chunk.text)
        .join(documents)
        .where(~made)
        .order_by(chunk.serial)
        .limit(most)
    )
    rows = (await connection.execute(missing)).all()
    return [Waiting(serial, caller, about(title, text)) for serial, caller, title, text in rows]


async def _texts(connection: AsyncConnection, serials: Sequence[int]) -> dict[int, str]:
    chunk = document_chunks.c
    there = (
        select(chunk.serial, documents.c.title, chunk.text)
        .join(documents)
        .where(chunk.serial.in_(serials))
    )
    rows = (await connection.execute(there)).all()
    return {serial: about(title, text) for serial, title, text in rows}


async def forget_odd(database: AsyncEngine, caller_id: str, model: str, length: int) -> None:
    """Delete the caller's vectors of the model that have not this length; they are made anew."""
    mine = (
        select(document_chunks.c.serial).join(documents).where(documents.c.caller_id == caller_id)
    )
    odd = delete(document_vectors).where(
        document_vectors.c.chunk_serial.in_(mine),
        document_vectors.c.model == model,
        func.length(document_vectors.c.vector).not_in((0, length * FLOAT)),
    )
    async with database.begin() as connection:
        await mark_changed(connection, [caller_id])
        await connection.execute(odd)
