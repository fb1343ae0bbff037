"""The keys that open the gate, in memory: read anew when they change; their last use written."""

import asyncio
import hmac
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncEngine

from plugin.auth.caller import Caller
from plugin.auth.keys import KeyRecord, api_keys, hash_key, well_formed
from plugin.errors import NotAuthenticated
from plugin.storage.database import FAILURES, ChangeWatch

log = logging.getLogger(__name__)

_BATCH = 500  # well under SQLite's limit of variables in one statement


@dataclass(frozen=True, slots=True)
class _Held:
    record: KeyRecord
    caller: Caller


class KeyRing:
    """Answers who a key belongs to.

    `read` gives all keys, `watch` tells when that would give something else. While the database
    cannot be asked the last answer stands; before anything could be read, nobody is let in.
    """

    def __init__(
        self,
        read: Callable[[], Sequence[KeyRecord]],
        watch: ChangeWatch,
        clock: Callable[[], float],
    ) -> None:
        self._read = read
        self._watch = watch
        self._clock = clock
        self._held: dict[bytes, _Held] = {}
        self._failing = False
        self.used: set[bytes] = set()

    def caller(self, key: bytes) -> Caller:
        """The caller that `key` belongs to; raises `NotAuthenticated` and says why."""
        if not well_formed(key):
            raise NotAuthenticated("The API key is mistyped or cut off: its checksum does not fit.")
        self._refresh()
        digest = hash_key(key)
        held = self._held.get(digest)
        if held is None or not hmac.compare_digest(held.record.hash, digest):
            raise NotAuthenticated("No such API key is known to this service.")
        state = held.record.state(self._clock())
        if state != "active":
            raise NotAuthenticated(f"The API key is {state}.")
        self.used.add(digest)
        return held.caller

    def _refresh(self) -> None:
        try:
            settled = self._watch.moved()
            if settled is not None:
                self._held = {record.hash: _hold(record) for record in self._read()}
                settled()
        except FAILURES:
            # Before authentication nothing may end in a 5xx; once is enough in the log.
            if not self._failing:
                log.exception("the keys cannot be read; those last read stay in force")
            self._failing = True
        else:
            self._failing = False


def _hold(record: KeyRecord) -> _Held:
    return _Held(record, Caller(record.id, record.name, frozenset(record.scopes)))


class LastUse:
    """Writes when keys were last used: one statement for all that were used since the last time."""

    def __init__(
        self, ring: KeyRing, engine: AsyncEngine, clock: Callable[[], float], every: float = 5.0
    ) -> None:
        self._ring = ring
        self._engine = engine
        self._clock = clock
        self._every = every
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Write every few seconds from now on."""
        self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        """Stop, and write what is left."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self.flush()

    async def flush(self) -> None:
        """Write the uses since the last time; what could not be written is kept for the next."""
        used, self._ring.used = self._ring.used, set()
        try:
            await self._write(list(used))
        except asyncio.CancelledError:
            self._ring.used |= used
            raise
        except FAILURES as error:
            self._ring.used |= used
            log.warning("the last use of %d keys could not be written: %s", len(used), error)

    async def _write(self, used: list[bytes]) -> None:
        if not used:
            return
        now = int(self._clock())
        async with self._engine.begin() as connection:
            for start in range(0, len(used), _BATCH):
                batch = used[start : start + _BATCH]
                await connection.execute(
                    update(api_keys).where(api_keys.c.hash.in_(batch)).values(last_used_at=now)
                )

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._every)
            await self.flush()
