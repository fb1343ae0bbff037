"""Moves the whole ledger into a database of its own, checked, and begins a new one that names it.

Rows that are taken out of the middle would break the chain; a whole ledger can go, because the
first row of the next one says how it ended.
"""

from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import orjson
from sqlalchemy import Engine

from plugin.errors import CannotRun
from plugin.ledger.batch import begin_anew
from plugin.ledger.entries import Act
from plugin.ledger.verify import Verdict, verify
from plugin.storage.database import FAILURES, open_blocking
from plugin.storage.migrate import make_ready

_TABLES = ("ledger", "ledger_balances", "ledger_head")


class Archived(NamedTuple):
    """How the ledger ended that is in the archive."""

    rows: int
    head: str


def archive(database: Engine, directory: Path, by: str, now: int) -> Archived:
    """Move it to `directory`, a new data directory; `now` is in microseconds since 1970.

    Nobody else may write to the ledger meanwhile. Raises `CannotRun`, and then all is as before.
    """
    whole = _checked(database, "the ledger is not as written, see `plugin ledger verify`")
    if not whole.rows:
        raise CannotRun("the ledger has no rows yet")
    file = directory / "plugin.db"
    make_ready(directory, f"sqlite:///{file.absolute()}")
    _copy(database, file)
    copy = open_blocking(f"sqlite:///{file.absolute()}")
    try:
        copied = _checked(copy, f"the copy in {directory} is not like the ledger; delete it")
    finally:
        copy.dispose()
    kept = (whole.rows, whole.head)
    if (copied.rows, copied.head) != kept:
        raise CannotRun(f"the copy in {directory} is not like the ledger; delete it")
    detail = {"rows": whole.rows, "head": whole.head.hex()}
    act = Act(now, "ledger archived", str(directory), orjson.dumps(detail).decode(), by)
    with database.begin() as connection:
        if not begin_anew(connection, kept, act):
            raise CannotRun(f"somebody wrote to the ledger meanwhile; delete {directory}")
    with suppress(*FAILURES):  # it may not have the room; then later rows take the old ones'
        _shrink(database)
    return Archived(whole.rows, whole.head.hex())


def _shrink(database: Engine) -> None:
    with database.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("VACUUM")


def _checked(database: Engine, fault: str) -> Verdict:
    verdict = verify(database)
    if verdict.faults:
        raise CannotRun(fault)
    return verdict


def _copy(database: Engine, file: Path) -> None:
    with database.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("ATTACH DATABASE ? AS archive", (str(file.absolute()),))
        try:
            for table in _TABLES:
                connection.exec_driver_sql(f"DELETE FROM archive.{table}")  # noqa: S608 - our own
                connection.exec_driver_sql(
                    f"INSERT INTO archive.{table} SELECT * FROM main.{table}"  # noqa: S608 - our own
                )
        finally:
            connection.exec_driver_sql("DETACH DATABASE archive")
