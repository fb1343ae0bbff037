"""Idempotency keys: a call that is sent again is not carried out again, and gets the same answer.

A key belongs to its caller. Whoever claims it first carries the call out; all others wait for the
answer, in this process by an event, in another by looking at the row. An answer is stored before
its last byte is sent. A worker that is killed before frees its keys, and the next equal call is
carried out anew.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection, Engine

from plugin.idempotency.errors import (
    KeyInUse,
    KeyReused,
    KeysUnavailable,
    TooManyKeys,
)
from plugin.idempotency.store import Answer, Full, KeyTable, Name
from plugin.idempotency.write_batches import Batches
from plugin.pools.threads import Threads
from plugin.storage.database import FAILURES
from plugin.storage.use import Quota, quotas
from plugin.storage.worker_lease import WorkerLease

log = logging.getLogger(__name__)

LIFETIME = 86_400
"""Seconds for which an answer is kept."""

MOST_KEYS = 100_000
"""Keys of one caller at most, within one lifetime; more calls with a key are refused."""

_NO_QUOTA = quotas().answers
_COUNTED_EVERY = 100
_FIRST_LOOK, _LONGEST_PAUSE = 0.01, 0.1
_TEND_EVERY, _SWEEP_EVERY = 1.0, 60
T = TypeVar("T")


@dataclass(slots=True, eq=False)
class _Running:
    """A key that this process is busy with; `ours`: it carries the call out."""

    fingerprint: bytes
    ours: bool = False
    answer: Answer | None = None
    ended: asyncio.Event = field(default_factory=asyncio.Event)


class Claim:
    """The right, and the duty, to carry a call out: `keep` its answer or `free` its key."""

    def __init__(self, of: "Idempotency", name: Name, running: _Running) -> None:
        self._of = of
        self._name = name
        self._running = running

    async def keep(self, answer: Answer) -> None:
        """Store the answer; when the database fails, it waits here for it, and others get it."""
        await self._of.keep(self._name, self._running, answer)

    def free(self) -> None:
        """Forget the call, unless its answer is kept: an equal one is carried out again."""
        self._of.free(self._name, self._running)


class Idempotency:
    """The keys of one worker's callers; `wait` is for how long an equal call is waited for.

    `clock` is in seconds since 1970. `directory` holds a locked file for each worker. `spool` is
    the folder for large bodies while their calls run; None: where temporary files lie.
    """

    def __init__(  # noqa: PLR0913 - two of them are bounds
        self,
        engine: Engine,
        threads: Threads,
        directory: Path,
        clock: Callable[[], float],
        *,
        wait: float = 60.0,
        most: int = MOST_KEYS,
        quota: Quota = _NO_QUOTA,
        spool: Path | None = None,
    ) -> None:
        self.spool = spool
        self._lease = WorkerLease(directory)
        self._table = KeyTable(
            self._lease.id, self._lease.is_alive, clock, LIFETIME, most=quota.limit
        )
        self._batches = Batches(engine, threads)
        self._wait = wait
        self._most = most
        self._quota = quota
        self._busy: dict[Name, _Running] = {}
        self._unstored: dict[Name, _Running] = {}
        self._unfreed = set[Name]()
        self._room: dict[str, int] = {}
        self._tending: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to store what could not be stored, and to remove what is old."""
        self._tending = asyncio.create_task(self._tend())

    async def close(self) -> None:
        """End, with everything stored that can be."""
        if self._tending is not None:
            self._tending.cancel()
            with suppress(asyncio.CancelledError):
                await self._tending
        await self.store()
        await self._batches.close()
        self._lease.close()

    async def claim(self, name: Name, fingerprint: bytes) -> Claim | Answer:
        """The claim to carry a call out, or the answer that it got before, waited for.

        Raises `KeyReused`, `KeyInUse`, `TooManyKeys`, `QuotaUsedUp` and `KeysUnavailable`.
        """
        try:
            async with asyncio.timeout(self._wait):
                while True:
                    busy = self._busy.get(name)
                    if busy is None:
                        return await self._look(name, fingerprint)
                    if busy.ours and busy.fingerprint != fingerprint:
                        raise KeyReused
                    await busy.ended.wait()
                    if busy.answer is not None and busy.fingerprint == fingerprint:
                        return busy.answer
        except TimeoutError:
            raise KeyInUse from None

    async def keep(self, name: Name, running: _Running, answer: Answer) -> None:
        """See `Claim.keep`."""
        running.answer = answer
        try:
            await self._run(name.caller_id, partial(self._table.keep, name=name, answer=answer))
        except KeysUnavailable:
            self._later(name, running)
        except BaseException:
            self._later(name, running)
            raise
        else:
            self._leave(name, running)

    def free(self, name: Name, running: _Running) -> None:
        """See `Claim.free`."""
        if running.answer is None:
            self._leave(name, running)
            self._free_row(name)

    async def store(self) -> None:
        """Store and free what the database did not take before."""
        for name, running in list(self._unstored.items()):
            answer = running.answer
            assert answer is not None  # noqa: S101 - only what has one comes here
            try:
                await self._run(name.caller_id, partial(self._table.keep, name=name, answer=answer))
            except KeysUnavailable:
                return
            del self._unstored[name]
            self._leave(name, running)
        for name in self._unfreed - self._busy.keys():
            self._unfreed.discard(name)
            self._free_row(name)

    async def sweep(self) -> None:
        """Remove the keys whose time is over."""
        self._room.clear()
        self._lease.sweep()
        with suppress(KeysUnavailable):
            while await self._run("", self._table.sweep):
                pass

    async def _look(self, name: Name, fingerprint: bytes) -> Claim | Answer:
        """Ask the table until the key is ours or has its answer; others here wait for us."""
        running = self._busy[name] = _Running(fingerprint)
        try:
            self._be_seen()
            await self._make_room(name.caller_id)
            running.answer = await self._take(name, fingerprint)
        except BaseException:
            self.free(name, running)  # it may have become ours in this very moment
            raise
        if running.answer is not None:
            self._leave(name, running)
            return running.answer
        running.ours = True
        return Claim(self, name, running)

    async def _take(self, name: Name, fingerprint: bytes) -> Answer | None:
        pause = _FIRST_LOOK
        while True:
            ours = partial(self._table.claim, name=name, fingerprint=fingerprint)
            entry = await self._run(name.caller_id, ours)
            if entry is None:
                return None
            if isinstance(entry, Full):
                self._quota.check(entry.used, entry.needed)
                continue
            if entry.fingerprint != fingerprint:
                raise KeyReused
            if entry.answer is not None:
                return entry.answer
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _be_seen(self) -> None:
        """Others must not take this worker for dead."""
        try:
            self._lease.tend()
        except OSError as error:
            log.warning("idempotency keys cannot be held: %s", error)
            raise KeysUnavailable from None

    async def _make_room(self, caller_id: str) -> None:
        """Count now and then what a caller has: the bound is soft, to be cheap."""
        room = self._room.get(caller_id, 0)
        if room <= 0:
            held = partial(self._table.held, caller_id=caller_id)
            count = await self._run(caller_id, held)
            if count >= self._most:
                raise TooManyKeys(self._most)
            room = min(_COUNTED_EVERY, self._most - count)
        self._room[caller_id] = room - 1

    async def _run(self, caller_id: str, work: Callable[[Connection], T]) -> T:
        try:
            return await self._batches.run(caller_id, work)
        except FAILURES as error:
            log.warning("idempotency keys cannot be read or stored: %s", error)
            raise KeysUnavailable from None

    def _later(self, name: Name, running: _Running) -> None:
        self._unstored[name] = running
        running.ended.set()

    def _free_row(self, name: Name) -> None:
        freeing = self._batches.run(name.caller_id, partial(self._table.free, name=name))
        freeing.add_done_callback(partial(self._freed, name))

    def _leave(self, name: Name, running: _Running) -> None:
        if self._busy.get(name) is running:
            del self._busy[name]
        running.ended.set()

    def _freed(self, name: Name, freeing: "asyncio.Future[None]") -> None:
        if not freeing.cancelled() and freeing.exception() is not None:
            self._unfreed.add(name)

    async def _tend(self) -> None:
        seconds = 0
        while True:
            await asyncio.sleep(_TEND_EVERY)
            seconds += 1
            await self.store()
            if seconds % _SWEEP_EVERY == 0:
                await self.sweep()
