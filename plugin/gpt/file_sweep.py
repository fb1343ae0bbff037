"""Bytes without a row in the database: set aside in a trash for a week, then deleted.

A crash between the two leaves such bytes behind. So does a database that was restored from an old
backup: what it does not know may be known again when a newer backup is restored.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Protocol

from plugin.gpt.file_bytes import FileBytes
from plugin.pools.threads import Threads
from plugin.storage.database import FAILURES

log = logging.getLogger(__name__)

GRACE = 7 * 86_400
"""Seconds that a file stays in the trash."""

_FAILURES: tuple[type[Exception], ...] = (*FAILURES, OSError)
_AT_ONCE = 100
_EXPIRE_EVERY = 60.0
_SWEEP_EVERY = 3600.0


class Sweepable(Protocol):
    """Files that expire and whose strays can be set aside."""

    async def sweep(self) -> None:
        """Expire files, then set strays aside."""

    async def expire(self) -> None:
        """Delete the files whose time is over."""


async def sweep(
    stored: FileBytes,
    ids: Callable[[], Awaitable[frozenset[str]]],
    threads: Threads,
    clock: Callable[[], float],
) -> None:
    """Set strays aside, put back what has a row again, delete what was set aside a week ago.

    `ids` returns the ids of all rows.
    """
    known = await ids()
    trashed = await threads.run(stored.trashed)
    back = [name for name in trashed if name in known]
    old = [name for name, since in trashed.items() if since < clock() - GRACE and name not in known]
    for name in back:
        await threads.run(stored.restore, name)
    for name in old:
        await threads.run(stored.forget, name)
    strays = [name for name in await threads.run(stored.names) if name not in known]
    aside = 0
    for start in range(0, len(strays), _AT_ONCE):
        with stored.claimed(strays[start : start + _AT_ONCE]) as claimed:
            known = await ids()  # what was being written before may have its row by now
            for name in claimed:
                if name not in known:
                    aside += await threads.run(stored.set_aside, name, clock())
    _say(aside, "moved to the trash, where they stay for 7 days; the database does not know them")
    _say(len(back), "put back from the trash; the database knows them again")
    _say(len(old), "deleted after 7 days in the trash")


def _say(count: int, what: str) -> None:
    if count:
        log.warning("uploaded files: %d %s", count, what)


@asynccontextmanager
async def swept(files: Sweepable) -> AsyncIterator[None]:
    """Sweep now, and from time to time while the context lasts."""
    await _attempt(files.sweep())
    tending = asyncio.create_task(_tend(files))
    try:
        yield
    finally:
        tending.cancel()
        with suppress(asyncio.CancelledError):
            await tending


async def _tend(files: Sweepable) -> None:
    passed = 0.0
    while True:
        await asyncio.sleep(_EXPIRE_EVERY)
        passed += _EXPIRE_EVERY
        await _attempt(files.expire() if passed % _SWEEP_EVERY else files.sweep())


async def _attempt(work: Awaitable[None]) -> None:
    try:
        await work
    except _FAILURES as error:
        log.warning("files cannot be swept now: %s", error)
