"""The database: how it is opened, the one MetaData, and how a change by another process is seen."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, MetaData, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from plugin.errors import CannotRun

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)
"""Every table of the plugin; the room that owns a table defines it here."""

FAILURES: tuple[type[Exception], ...] = (sqlite3.Error, SQLAlchemyError)
"""What is raised when the database cannot do what was asked."""

_PASSING = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_CANTOPEN,
    }
)
_PRIMARY = 0xFF

BUSY_SECONDS = 5.0
"""How long a statement waits for another process's write."""


def will_pass(error: Exception) -> bool:
    """Whether it is the storage that fails (locked, full, out of reach), not what was asked."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    code = getattr(cause, "sqlite_errorcode", None)
    return isinstance(code, int) and code & _PRIMARY in _PASSING


def open_database(url: str) -> AsyncEngine:
    """The database behind `url` (`sqlite:///path`) for the event loop; connects when first used."""
    engine = create_async_engine(
        _with_driver(url, "sqlite+aiosqlite"), connect_args={"timeout": BUSY_SECONDS}
    )
    event.listen(engine.sync_engine, "connect", _prepare)
    return engine


def open_blocking(url: str, wait: float = BUSY_SECONDS) -> Engine:
    """The same database for commands and for start-up; `wait` is in seconds, for others' writes."""
    engine = create_engine(_with_driver(url, "sqlite+pysqlite"), connect_args={"timeout": wait})
    event.listen(engine, "connect", _prepare)
    return engine


def open_for_batches(url: str) -> Engine:
    """The same database for who writes many rows at once: more in memory, checkpoints seldom."""
    engine = open_blocking(url)

    @event.listens_for(engine, "connect")
    def _widen(connection: Any, _record: Any) -> None:
        cursor = connection.cursor()
        for pragma in ("cache_size=-16384", "wal_autocheckpoint=8000"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    return engine


def sqlite_path(url: str) -> Path:
    """The file that holds the database of `url`."""
    address = make_url(url)
    if address.get_backend_name() != "sqlite" or not address.database:
        raise CannotRun(
            "PLUGIN_DATABASE_URL must be sqlite:///<path>: this version stores in SQLite"
        )
    return Path(address.database)


def _with_driver(url: str, driver: str) -> URL:
    return URL.create(driver, database=str(sqlite_path(url)))


def _prepare(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


class ChangeWatch:
    """Tells, for a few microseconds, whether `read` would now give something else.

    `PRAGMA data_version` moves with every commit of any other connection, in this process or in
    another; only then is the one number in `counter` (a table of one row) read, so that busy
    writers elsewhere in the database do not count as a change. It never waits for a lock: the
    event loop asks.
    """

    def __init__(self, url: str, counter: str) -> None:
        self._connection = sqlite3.connect(sqlite_path(url), timeout=0, isolation_level=None)
        self._question = f"SELECT value FROM {counter}"  # noqa: S608 - a table name of our own
        self._seen: tuple[int, int] | None = None

    def moved(self) -> Callable[[], None] | None:
        """None when nothing changed; otherwise what to call once the change has been read.

        Raises one of `FAILURES` when the database cannot be asked.
        """
        version = self._one("PRAGMA data_version")
        seen = self._seen
        if seen is not None and seen[0] == version:
            return None
        now = (version, self._one(self._question))
        if seen is not None and seen[1] == now[1]:
            self._seen = now
            return None

        def settled() -> None:
            self._seen = now

        return settled

    def close(self) -> None:
        """Give the connection back."""
        self._connection.close()

    def _one(self, statement: str) -> int:
        row = self._connection.execute(statement).fetchone()
        return int(row[0]) if row else 0
