"""The keys that open the gate: looked up once, held until keys change; their last use written."""

import asyncio
import logging
from collections.abc import Callable
from functools import lru_cache

from sqlalchemy.ext.asyncio import AsyncEngine

from plugin.auth.caller import Caller
from plugin.auth.keys import Secret, hash_key, well_formed
from plugin.errors import NotAuthenticated
from plugin.storage.database import FAILURES, ChangeWatch

log = logging.getLogger(__name__)

_BATCH = 1_000  # some milliseconds of the event loop

_TOUCH = "UPDATE api_keys SET last_used_at = ? WHERE serial = ?"

_MOST = 131_072
"""Secrets held at most, in some 50 MiB."""


class _Held:
    """A secret that was found active, and the number of changes when it was."""

    __slots__ = ("as_of", "caller", "expires_at", "serial")

    def __init__(self, secret: Secret, as_of: int) -> None:
        self.serial = secret.serial
        self.caller = Caller(secret.id, secret.name, _scopes(secret.scopes))
        self.expires_at = secret.expires_at
        self.as_of = as_of


class KeyRing:
    """Answers who a key belongs to.

    `find` looks a hash up; what it found is held, and looked up anew at its first use after `watch`
    counted a change, so that neither a start nor a change reads all keys. While the database cannot
    be asked, what is held stays in force; a key that is not held is refused.
    """

    def __init__(
        self,
        find: Callable[[bytes], Secret | None],
        watch: ChangeWatch,
        clock: Callable[[], float],
    ) -> None:
        self.look = watch.commits.look
        """See whether keys or limits have changed; `caller` does so itself."""
        self._find = find
        self._watch = watch
        self._clock = clock
        self._held: dict[bytes, _Held] = {}
        self._failing = False
        self.used: set[int] = set()

    def caller(self, key: bytes) -> Caller:
        """The caller that `key` belongs to; raises `NotAuthenticated` and says why."""
        digest = hash_key(key)
        held = self._held.get(digest)
        if held is None and not well_formed(key):
            raise NotAuthenticated("The API key is mistyped or cut off: its checksum does not fit.")
        self.look()
        if held is None or held.as_of != self._changes():
            held = self._looked_up(digest, held)
        if held.expires_at is not None and held.expires_at <= self._clock():
            raise _refused("expired")
        self.used.add(held.serial)
        return held.caller

    def _changes(self) -> int | None:
        try:
            return self._watch.now()
        except FAILURES:
            return None  # the look-up will tell

    def _looked_up(self, digest: bytes, held: _Held | None) -> _Held:
        try:
            as_of = self._watch.now()  # first: what changes in between is met at the next use
            secret = self._find(digest)
        except FAILURES:
            # Before authentication nothing may end in a 5xx; once is enough in the log.
            if not self._failing:
                log.exception("keys cannot be looked up; those found before stay in force")
            self._failing = True
            if held is not None:
                return held
            raise NotAuthenticated(
                "The API key cannot be checked: the database does not answer. Try again later."
            ) from None
        self._failing = False
        if secret is None:
            self._held.pop(digest, None)
            raise NotAuthenticated("No such API key is known to this service.")
        if secret.revoked_at is not None:
            self._held.pop(digest, None)
            raise _refused("revoked")
        if len(self._held) >= _MOST and digest not in self._held:
            self._held.popitem()  # the last one came: a look-up at its next use, and no pause now
        held = self._held[digest] = _Held(secret, as_of)
        return held


@lru_cache(1024)
def _scopes(written: str) -> frozenset[str]:
    return frozenset(written.split())


def _refused(state: str) -> NotAuthenticated:
    return NotAuthenticated(f"The API key is {state}.")


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
            # sorted they lie side by side in the table, which is three times as fast
            await self._write(sorted(used))
        except asyncio.CancelledError:
            self._ring.used |= used
            raise
        except FAILURES as error:
            self._ring.used |= used
            log.warning("the last use of %d keys could not be written: %s", len(used), error)

    async def _write(self, used: list[int]) -> None:
        if not used:
            return
        now = int(self._clock())
        async with self._engine.begin() as connection:
            for start in range(0, len(used), _BATCH):
                batch = used[start : start + _BATCH]
                # past the ORM, whose part is on the event loop: a third of all of it
                await connection.exec_driver_sql(_TOUCH, [(now, serial) for serial in batch])

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._every)
            await self.flush()
