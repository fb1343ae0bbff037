"""How far the ledger is behind: what journals hold that is not in it yet."""

from contextlib import suppress
from pathlib import Path

from sqlalchemy import select

from plugin.ledger.journal_files import journals
from plugin.ledger.tables import ledger_journals
from plugin.storage.database import open_blocking


def backlog(directory: Path, url: str) -> int:
    """Bytes of the journals in `directory` that the ledger of the database `url` lacks.

    Blocks. Raises `FAILURES` when the database cannot be asked.
    """
    database = open_blocking(url, wait=1.0)
    try:
        with database.connect() as connection:
            found = connection.execute(select(ledger_journals)).all()
    finally:
        database.dispose()
    read: dict[str, int] = {row.name: row.position for row in found}
    missing = 0
    for path in (path for parts in journals(directory).values() for path in parts):
        with suppress(FileNotFoundError):
            missing += max(0, path.stat().st_size - read.get(path.name, 0))
    return missing
