"""The database: how it is opened, the one MetaData, and how a change by another process is seen."""

import logging
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, MetaData, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from plugin.errors import CannotRun
from plugin.pools.turns import Turns
from plugin.storage.connections import FairPool

log = logging.getLogger(__name__)

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

_CONNECTIONS = 6
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
    if isinstance(error, PoolTimeoutError):
        return True
    cause = error.orig if isinstance(error, DBAPIError) else error
    code = getattr(cause, "sqlite_errorcode", None)
    return isinstance(code, int) and code & _PRIMARY in _PASSING


def open_database(url: str, turns: Turns | None = None) -> AsyncEngine:
    """Open the database behind `url` (`sqlite:///path`) for the event loop; it connects later.

    It has a connection for each place of `turns`; without it all work counts as one caller's.
    """
    turns = turns or Turns("the database", 2 * _CONNECTIONS)
    engine = create_async_engine(
        _with_driver(url, "sqlite+aiosqlite"),
        connect_args={"timeout": BUSY_SECONDS},
        poolclass=FairPool,
        pool_size=turns.places,
        max_overflow=0,
    )
    pool = engine.pool
    assert isinstance(pool, FairPool)  # noqa: S101 - for the type checker
    pool.turns = turns
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
        # Four times as much in memory spares its batches 3 % of their CPU.
        for pragma in ("cache_size=-4096", "wal_autocheckpoint=8000"):
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


class Commits:
    """Tells what was committed meanwhile by any other connection, in this process or in another.

    One connection for all who ask on the event loop: it never waits for a lock. Whoever begins a
    request looks, once; what was committed before that is seen by all who ask afterwards.

    With `later`, which has something done in the next step of the event loop, one look is enough
    for the requests of a step: all of them had come before it began.
    """

    def __init__(
        self, url: str, later: Callable[[Callable[[], None]], object] | None = None
    ) -> None:
        self._connection = sqlite3.connect(sqlite_path(url), timeout=0, isolation_level=None)
        self._cursor = self._connection.cursor()
        self._later = later
        self._looked = False
        self._failing = False
        self.version: int | None = None
        """Another one after every commit; None before the first look."""

    def look(self) -> None:
        """See whether anything was committed; while the database does not tell, nothing was."""
        if self._looked:
            return
        if self._later is not None:
            self._looked = True
            self._later(self._look_again)
        try:
            # 2 us, and what SQLite offers for it: two locks taken and given back on the log's index
            (self.version,) = self._cursor.execute("PRAGMA data_version").fetchone()
        except FAILURES:
            if not self._failing:  # once is enough in the log
                log.exception("the database cannot be asked; keys and limits stay as last read")
            self._failing = True
        else:
            self._failing = False

    def _look_again(self) -> None:
        self._looked = False

    def ask(self, question: str, *values: object) -> tuple[Any, ...] | None:
        """The first row; raises one of `FAILURES` when the database cannot be asked."""
        row: tuple[Any, ...] | None = self._cursor.execute(question, values).fetchone()
        return row

    def close(self) -> None:
        """Give the connection back."""
        self._connection.close()


class ChangeWatch:
    """Tells whether what `counter` counts, a table of one row, would now be read differently.

    The number is read anew only after a look that found a commit; it stays the same when that was
    one elsewhere in the database.
    """

    def __init__(self, commits: Commits, counter: str) -> None:
        self.commits = commits
        self._question = f"SELECT value FROM {counter}"  # noqa: S608 - a table name of our own
        self._version: int | None = None
        self._number: int | None = None

    def now(self) -> int:
        """The number as of the last look; raises one of `FAILURES` when it cannot be read."""
        version = self.commits.version
        if self._number is None or version != self._version:
            (self._number,) = self.commits.ask(self._question) or (0,)
            self._version = version
        return self._number
