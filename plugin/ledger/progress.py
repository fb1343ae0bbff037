"""Whether the ledger has what journals held at some moment, whoever writes it."""

import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from sqlalchemy import Engine, select

from plugin.ledger.journal_files import journals
from plugin.ledger.tables import ledger_journals
from plugin.storage.database import FAILURES, open_blocking

_PAUSE = 0.02


def sizes(directory: Path) -> dict[Path, int]:
    """How long each journal in `directory` is now."""
    found: dict[Path, int] = {}
    for path in (path for parts in journals(directory).values() for path in parts):
        with suppress(FileNotFoundError):
            found[path] = path.stat().st_size
    return found


def reached(database: Engine, wanted: Mapping[Path, int]) -> bool:
    """Whether so much of each journal is in the ledger; one that is gone is there wholly."""
    try:
        with database.connect() as connection:
            found = connection.execute(select(ledger_journals)).all()
    except FAILURES:
        return False
    positions = {row.name: row.position for row in found}
    return all(
        positions.get(path.name, 0) >= size or not path.exists() for path, size in wanted.items()
    )


def await_writer(directory: Path, url: str, within: float) -> bool:
    """Wait, `within` so many seconds, until another process has written what is there now.

    Not for the event loop.
    """
    try:
        wanted = sizes(directory)
    except OSError:
        return False
    until = time.monotonic() + within
    database = open_blocking(url, wait=within)
    try:
        while not reached(database, wanted):
            if time.monotonic() > until:
                return False
            time.sleep(_PAUSE)
    finally:
        database.dispose()
    return True
