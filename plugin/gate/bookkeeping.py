"""A worker's books: its journal, and its candidate for whoever brings journals into the ledger."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from plugin.gate.journal import Journal
from plugin.gate.ledger import LedgerWriter

DIRECTORY = "journal"
"""The place of journals in the data directory."""


class Books(NamedTuple):
    """What a worker writes to, and who brings what all workers have written into the ledger."""

    journal: Journal
    writer: LedgerWriter


@asynccontextmanager
async def open_books(directory: Path, url: str) -> AsyncIterator[Books]:
    """The books of this worker, in the data directory; what they hold goes to the database `url`.

    At the end all of it is there, unless the database cannot take it: then it lies in the journal.
    """
    writer = LedgerWriter(directory / DIRECTORY, url, time.time)
    writer.start()
    try:
        with Journal(directory / DIRECTORY, time.time) as journal:
            tending = asyncio.create_task(journal.keep())
            try:
                yield Books(journal, writer)
            finally:
                tending.cancel()
                with suppress(asyncio.CancelledError):
                    await tending
    finally:
        await asyncio.to_thread(writer.close)
