"""A data directory with journals and the ledger that they are brought into."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import select

from plugin.ledger.entries import Call, Outcome
from plugin.ledger.journal import Journal
from plugin.ledger.tables import ledger
from plugin.ledger.verify import Fault, verify
from plugin.ledger.writer import LedgerWriter
from plugin.storage import migrate
from plugin.storage.database import open_blocking

NOW = 1_800_000_000.0
DAY = int(NOW) // 86_400


def call(number: int = 1, **given: Any) -> Call:
    named: dict[str, Any] = {
        "time": int(NOW * 1_000_000) + number,
        "request_id": f"req_{number}",
        "caller_id": "key_ann",
        "caller_name": "Ann",
        "door": "gpt",
        "action": "/v1/chat/completions",
        "model": "small",
        "reserved": 100,
    }
    return Call(**(named | given))


def outcome(**given: Any) -> Outcome:
    return Outcome(**({"tokens_in": 3, "tokens_out": 4, "units": 7, "status": 200} | given))


class World:
    """Makes journals and writers of one data directory, and reads the ledger."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.journals = directory / "journal"
        self.url = f"sqlite:///{directory / 'plugin.db'}"
        migrate.prepare(directory, self.url)
        self.database = open_blocking(self.url)

    def journal(self, name: str | None = None, **given: Any) -> Journal:
        return Journal(self.journals, lambda: NOW, name=name, **given)

    def writer(self, **given: Any) -> LedgerWriter:
        return LedgerWriter(self.journals, self.url, lambda: NOW, **given)

    def drain(self) -> bool:
        """What a writer that comes and goes does; whether all is in the ledger."""
        with self.writer() as writer:
            return writer.drain()

    def rows(self, kind: str = "call") -> Sequence[Mapping[str, Any]]:
        wanted = select(ledger).where(ledger.c.kind == kind).order_by(ledger.c.serial)
        with self.database.connect() as connection:
            return [dict(row) for row in connection.execute(wanted).mappings()]

    def ids(self) -> list[str]:
        return [row["request_id"] for row in self.rows()]

    def faults(self) -> Sequence[Fault]:
        return verify(self.database).faults

    def files(self) -> list[str]:
        return sorted(path.name for path in self.journals.glob("[!.]*.log"))

    def change(self, statement: str, *values: Any) -> None:
        with self.database.begin() as connection:
            connection.exec_driver_sql(statement, values)
