"""The table of limits: what an operator set, and how workers see that it changed."""

import logging
from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import BigInteger, Column, Connection, Engine, Integer, String, Table, select

from plugin.gate.limits import (
    EACH,
    MEASURES,
    PERIODS,
    SCOPES,
    Identity,
    Limit,
    greatest_cap,
    identity,
)
from plugin.storage.database import FAILURES, ChangeWatch, metadata

log = logging.getLogger(__name__)

limits = Table(
    "limits",
    metadata,
    Column("scope", String(16), primary_key=True),
    Column("subject", String(256), primary_key=True),
    Column("measure", String(16), primary_key=True),
    Column("period", String(16), primary_key=True),
    Column("cap", BigInteger),
)
"""One row a limit that was set; no cap: nothing holds there."""

limit_changes = Table(
    "limit_changes", metadata, Column("value", Integer, primary_key=True, autoincrement=False)
)
"""One row, one number: moved by triggers, so that a change made by hand counts as well."""

CHANGES = "limit_changes"


class LimitStore:
    """Lists, sets and unsets limits. Blocking: for commands and for start-up."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def list(self) -> Sequence[Limit]:
        """Every limit that was set; what is in the table and is no limit is left out."""
        with self._engine.connect() as connection:
            rows = connection.execute(select(limits).order_by(*limits.primary_key)).all()
        found: list[Limit] = []
        for limit in (Limit(*row) for row in rows):
            if _is_one(limit):
                found.append(limit)
            else:
                log.warning("a row of the table of limits is no limit and is left out: %s", limit)
        return found

    def set(self, limit: Limit) -> int | None:
        """Put a limit in force, from the next request on; gives the cap that was set before."""
        with self._engine.begin() as connection:
            before = _remove(connection, identity(limit))
            connection.execute(limits.insert().values((*identity(limit), limit.cap)))
        return before

    def unset(self, which: Identity) -> bool:
        """Take a limit back, so that the default holds; False when there was none."""
        with self._engine.begin() as connection:
            known = connection.execute(select(limits).where(*_is(which))).first() is not None
            _remove(connection, which)
        return known


def _is_one(limit: Limit) -> bool:
    """Whether it can be counted: somebody may have written the row by hand."""
    if limit.scope not in SCOPES or limit.measure not in MEASURES or limit.period not in PERIODS:
        return False
    if limit.scope == "all" and limit.subject != EACH:
        return False
    if limit.measure == "concurrent" and limit.period != "none":
        return False
    most = greatest_cap(limit.period)
    return limit.cap is None or (isinstance(limit.cap, int) and 0 <= limit.cap <= most)


def _is(which: Identity) -> list[Any]:
    return [column == part for column, part in zip(limits.primary_key, which, strict=True)]


def _remove(connection: Connection, which: Identity) -> int | None:
    before = connection.execute(select(limits.c.cap).where(*_is(which))).scalar()
    connection.execute(limits.delete().where(*_is(which)))
    return before


class WatchedLimits:
    """Gives the limits that were set whenever they have changed; see `Commits` for who looks.

    While the database cannot be asked the last ones stay in force.
    """

    def __init__(self, read: Callable[[], Sequence[Limit]], watch: ChangeWatch) -> None:
        self._read = read
        self._watch = watch
        self._as_of: int | None = None
        self._failing = False

    def changed(self) -> Sequence[Limit] | None:
        """All of them, when they are others than last time; None when nothing changed."""
        try:
            number = self._watch.now()
            if number == self._as_of:
                return None
            found = self._read()
        except FAILURES:
            if not self._failing:
                log.exception("the limits cannot be read; those last read stay in force")
            self._failing = True
            return None
        self._as_of = number
        self._failing = False
        return found
