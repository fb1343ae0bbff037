"""What the ledger tells: sums for a caller, balances by what one asks for, and single calls."""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import ColumnElement, Engine, Select, func, select
from sqlalchemy.engine import RowMapping
from sqlalchemy.ext.asyncio import AsyncEngine

from plugin.ledger.entries import Call
from plugin.ledger.tables import ledger, ledger_balances, ledger_open
from plugin.pools.threads import Threads
from plugin.pools.turns import Turns

_MICROSECONDS = 1_000


class LedgerReader:
    """Sums of calls of models, for the event loop.

    `up_to_date` is called in a thread first: it brings in what journals still hold
    (`LedgerWriter.flush`). Callers take turns at `heavy` work.
    """

    def __init__(
        self,
        database: AsyncEngine,
        up_to_date: Callable[[], object],
        *,
        threads: Threads,
        heavy: Turns,
    ) -> None:
        self._database = database
        self._threads = threads
        self._heavy = heavy
        self._up_to_date = up_to_date
        self._begun = 0
        self._turn = asyncio.Lock()

    async def sums(
        self, since: int, until: int, step: int, caller_id: str | None
    ) -> Sequence[RowMapping]:
        """Calls and tokens from `since` to before `until`, for each `step`: all in milliseconds.

        Each sum is of one step (its `start`), action, model and answering model; `caller_id` None
        is everybody. A call counts where it began.
        """
        await self._catch_up()
        async with self._heavy.turn(), self._database.connect() as connection:
            found = await connection.execute(_sums(since, until, step, caller_id))
            return found.mappings().all()

    async def _catch_up(self) -> None:
        """Many who ask at once wait in one thread: for what is begun after they have come."""
        seen = self._begun
        async with self._turn:
            if self._begun == seen:
                self._begun += 1
                await self._threads.run(self._up_to_date)


def _sums(since: int, until: int, step: int, caller_id: str | None) -> Select[*tuple[Any, ...]]:
    rows = ledger.c
    moment = rows.time // _MICROSECONDS
    start = (moment - moment % step).label("start")
    groups = (start, rows.action, rows.model, rows.answered_by)
    wanted = (
        select(
            *groups,
            func.count().label("calls"),
            func.sum(rows.tokens_in).label("tokens_in"),
            func.sum(rows.tokens_out).label("tokens_out"),
        )
        .where(rows.kind == "call", rows.model.is_not(None))
        .where(rows.time >= since * _MICROSECONDS, rows.time < until * _MICROSECONDS)
        .group_by(*groups)
        .order_by(*groups)
    )
    return wanted if caller_id is None else wanted.where(rows.caller_id == caller_id)


@dataclass(frozen=True, slots=True)
class Balance:
    """What was used on a day; `key`, `model` and `action` are None where they are summed up."""

    day: int
    key: str | None
    model: str | None
    action: str | None
    calls: int
    tokens_in: int
    tokens_out: int
    units: int


_BY: Mapping[str, ColumnElement[str]] = {
    "key": ledger_balances.c.caller_id,
    "model": ledger_balances.c.model,
    "action": ledger_balances.c.action,
}


def balances(
    database: Engine, first: int, last: int, by: Collection[str] = ()
) -> Sequence[Balance]:
    """What was used from day `first` to day `last` (counted from 1970), for each of `by`.

    `by` names some of key, model and action. The days come in their order.
    """
    table = ledger_balances.c
    groups = [table.day, *(_BY[name] for name in _BY if name in by)]
    sums = [func.sum(table[name]).label(name) for name in _SUMS]
    wanted = select(*groups, *sums).where(table.day >= first, table.day <= last)
    with database.connect() as connection:
        rows = connection.execute(wanted.group_by(*groups).order_by(*groups)).mappings().all()
    return [_balance(row, by) for row in rows]


def _balance(row: Mapping[Any, Any], by: Collection[str]) -> Balance:
    named: dict[str, Any] = {
        name: row[column] if name in by else None for name, column in _BY.items()
    }
    named |= {name: int(row[name]) for name in _SUMS}
    return Balance(day=row["day"], **named)


_SUMS = ("calls", "tokens_in", "tokens_out", "units")


def first_day(database: Engine) -> int | None:
    """The first day with a call, None when there is none."""
    with database.connect() as connection:
        return connection.execute(select(func.min(ledger_balances.c.day))).scalar()


def calls_of(database: Engine, request_id: str) -> Sequence[Mapping[str, Any]]:
    """The rows of a request, as the ledger has them; a caller may use an id more than once."""
    wanted = select(ledger).where(ledger.c.request_id == request_id).order_by(ledger.c.serial)
    with database.connect() as connection:
        return [dict(row) for row in connection.execute(wanted).mappings()]


def last_name(database: Engine, caller_id: str) -> str | None:
    """What a caller was called when it last called; None for one that is not in the ledger."""
    wanted = select(ledger.c.caller_name).where(ledger.c.caller_id == caller_id)
    with database.connect() as connection:
        return connection.execute(wanted.order_by(ledger.c.time.desc()).limit(1)).scalar()


def under_way(database: Engine) -> Sequence[Call]:
    """The calls that have not ended, as far as the journals were read."""
    with database.connect() as connection:
        found = connection.execute(select(ledger_open.c.call)).scalars().all()
    return [Call(*orjson.loads(call)) for call in found]


def acts(database: Engine, last: int = 100) -> Sequence[Mapping[str, Any]]:
    """The last administrative acts, the newest first."""
    table = ledger.c
    wanted = (
        select(table.serial, table.time, table.action, table.subject, table.caller_id, table.detail)
        .where(table.kind == "act")
        .order_by(table.serial.desc())
        .limit(last)
    )
    with database.connect() as connection:
        return [dict(row) for row in connection.execute(wanted).mappings()]
