"""What a database holds, as a value that equals itself while nothing changes: for tests of others.

`PRAGMA data_version` moves with every commit of another connection; only then are rows read.
"""

import hashlib
import sqlite3
from collections.abc import Collection, Mapping
from typing import Self

from plugin.storage.database import sqlite_path

Contents = Mapping[str, tuple[int, bytes]]
"""For each table the number of its rows and a digest of them."""


class ContentsOf:
    """Reads the contents of a small database, the tables named in `leave_out` apart."""

    def __init__(self, url: str, leave_out: Collection[str] = ()) -> None:
        self._connection = sqlite3.connect(sqlite_path(url), isolation_level=None)
        self._leave_out = frozenset(leave_out)
        self._seen: tuple[int, Contents] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def __call__(self) -> Contents:
        """The contents now."""
        (version,) = self._connection.execute("PRAGMA data_version").fetchone()
        if self._seen is None or self._seen[0] != version:
            self._seen = (version, {table: self._digest(table) for table in self._tables()})
        return self._seen[1]

    def _tables(self) -> list[str]:
        rows = self._connection.execute("PRAGMA table_list").fetchall()
        # Indexes for full text are tables of another type; what they index stands in these.
        named = [name for _, name, kind, *_ in rows if kind == "table"]
        return [n for n in named if n not in self._leave_out and not n.startswith("sqlite_")]

    def _digest(self, table: str) -> tuple[int, bytes]:
        count, digest = 0, hashlib.blake2b(digest_size=16)
        quoted = table.replace('"', '""')
        for row in self._connection.execute(f'SELECT * FROM "{quoted}"'):  # noqa: S608 - its own names
            count += 1
            digest.update(repr(row).encode())
        return count, digest.digest()
