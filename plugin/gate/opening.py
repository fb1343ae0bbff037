"""Opens the gate of a worker, and looks after what it shares with the others."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

from sqlalchemy import Engine

from plugin.errors import CannotRun
from plugin.gate.book import Book
from plugin.gate.counters.shared import SharedCounters
from plugin.gate.gate import Gate
from plugin.gate.limits_store import WatchedLimits
from plugin.gate.prices import Prices
from plugin.gate.queue import Queue, Room
from plugin.gate.seeding import seed
from plugin.storage.database import FAILURES

COUNTERS = "counters.bin"
"""The file in the data directory that holds what limits are counted in."""

_EVERY = 1.0
_SEEDING = "counters.seeding"

log = logging.getLogger(__name__)


@asynccontextmanager
async def open_gate(
    directory: Path,
    watched: WatchedLimits,
    prices: Prices,
    room: Room,
    book: Book,
    database: Engine,
) -> AsyncIterator[Gate]:
    """The gate, with the counts in `directory`; calls may wait as far as there is `room`.

    Where the counts were lost they are filled anew from the ledger in `database`.
    """
    try:
        counters = SharedCounters(directory / COUNTERS)
    except OverflowError as error:
        raise CannotRun(f"PLUGIN_WORKERS: {error} cannot share their counts") from None
    with closing(counters):
        queue = Queue(counters, room) if room.most else None
        gate = Gate(counters, prices, watched, book, queue, time.time)
        try:
            seed(counters, gate.limits, database, directory / _SEEDING, gate.clock())
        except FAILURES:
            log.exception("what was used of the limits cannot be read from the ledger")
        looking = asyncio.create_task(_look_after(gate, counters))
        try:
            yield gate
        finally:
            looking.cancel()
            await asyncio.wait({looking})
            if queue is not None:
                await queue.close()


async def _look_after(gate: Gate, counters: SharedCounters) -> None:
    """See whether a worker was killed, and whether a month has begun."""
    while True:
        await asyncio.sleep(_EVERY)
        try:
            counters.bury_the_dead()
            gate.tick()
        except OSError:
            log.exception("the counts cannot be looked after; it is tried again")
