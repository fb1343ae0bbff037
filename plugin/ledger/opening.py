"""A worker's books: its journal, and who brings journals into the ledger."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple

from plugin.ledger.journal import Journal
from plugin.ledger.progress import await_writer
from plugin.ledger.writer import LedgerWriter

DIRECTORY = "journal"
"""The place of journals in the data directory."""


class Books(NamedTuple):
    """What a worker writes to, and how it waits until all that is written is in the ledger."""

    journal: Journal
    caught_up: Callable[[float], bool]
    """Waits so many seconds at most, not for the event loop; gives whether it is there."""


@asynccontextmanager
async def open_books(directory: Path, url: str, *, ledger_beside: bool) -> AsyncIterator[Books]:
    """The books of this worker, in the data directory; what they hold goes to the database `url`.

    With `ledger_beside` another process brings it there (see `open_writer`). Without, this one
    does, and at the end all of it is there, unless the database cannot take it: then it lies in
    the journal.
    """
    async with AsyncExitStack() as stack:
        caught_up: Callable[[float], bool] = partial(await_writer, directory / DIRECTORY, url)
        if not ledger_beside:
            writer = open_writer(directory, url)
            stack.push_async_callback(asyncio.to_thread, writer.close)
            caught_up = writer.flush
        later = asyncio.get_running_loop().call_soon
        journal = stack.enter_context(Journal(directory / DIRECTORY, time.time, later=later))
        tending = asyncio.create_task(journal.keep())
        try:
            yield Books(journal, caught_up)
        finally:
            tending.cancel()
            with suppress(asyncio.CancelledError):
                await tending


def open_writer(directory: Path, url: str) -> LedgerWriter:
    """Begin to bring journals of the data directory into the ledger; close it at the end."""
    writer = LedgerWriter(directory / DIRECTORY, url, time.time)
    writer.start()
    return writer
