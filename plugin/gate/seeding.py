"""Fills counts anew from the ledger, where their file was lost: nobody gets a budget twice."""

import fcntl
import os
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, func, select

from plugin.gate.counters.protocol import Take
from plugin.gate.counters.shared import SharedCounters
from plugin.gate.limits import EACH, Limit, Limits, month_of
from plugin.ledger.tables import ledger, ledger_balances

_DONE = Take("seeded", "budget", 1)
_DAY = 86_400
_EPOCH = date(1970, 1, 1).toordinal()
_MICROSECONDS = 1_000_000
_COLUMNS = {"key": "caller_id", "model": "model", "operation": "action"}


def seed(
    counters: SharedCounters, limits: Limits, database: Engine, lock: Path, now: float
) -> bool:
    """Charge what the ledger knows, once in the life of the counts' file; gives whether it did.

    `now` is in seconds since 1970, by the clock of the ledger. Budgets get what was used in their
    time: each month its own, as the wall clock may be in the wrong one. Windows of a day get all
    of the last 24 hours at once: too early, and never too late. Shorter windows have passed before
    anybody asks.
    """
    held = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)  # the workers start at once, and one of them does it
        if counters.level(_DONE).left == 0:
            return False
        months = _months(limits.month, database)
        for limit in limits.all:
            if limit.cap is None or limit.measure == "concurrent":
                continue
            for month in months if limit.period == "month" else months[:1]:
                for subject, used in _used(limit, month, now, database):
                    take = _of(limit, subject).take(month, subject)
                    counters.charge(take, used)
        counters.charge(_DONE, 1)
        return True
    finally:
        os.close(held)


def _of(limit: Limit, subject: str) -> Limit:
    return Limit(limit.scope, subject, limit.measure, limit.period, limit.cap)


def _used(limit: Limit, month: str, now: float, database: Engine) -> Iterator[tuple[str, int]]:
    """What was used of a limit in its time, by subject."""
    if limit.kind == "window" and limit.period != "day":
        return
    table: Any = ledger if limit.period == "day" else ledger_balances
    columns = table.c
    named = _COLUMNS.get(limit.scope)
    subject = columns[named] if named else None
    wanted = select(func.sum(_amount(limit, columns))).select_from(table)
    if subject is not None:
        wanted = wanted.add_columns(subject).group_by(subject)
        if limit.subject != EACH:
            wanted = wanted.where(subject == limit.subject)
    for condition in _when(limit, columns, month, now):
        wanted = wanted.where(condition)
    with database.connect() as connection:
        for used, *rest in connection.execute(wanted):
            found = rest[0] if rest else EACH
            if used and found:
                yield str(found), int(used)


def _amount(limit: Limit, columns: Any) -> Any:
    match limit.measure:
        case "tokens":
            return columns.tokens_in + columns.tokens_out
        case "units":
            return columns.units
    return columns.calls if "calls" in columns else 1


def _when(limit: Limit, columns: Any, month: str, now: float) -> Iterator[Any]:
    match limit.period:
        case "day":
            yield columns.kind == "call"
            # rows that lie ahead are of a time when the clock was wrong
            yield columns.time.between(
                int((now - _DAY) * _MICROSECONDS), int((now + _DAY) * _MICROSECONDS)
            )
        case "month":
            first, following = _days_of(month)
            yield columns.day >= first
            yield columns.day < following


def _months(now: str, database: Engine) -> Sequence[str]:
    """The month `now`, then the others with a call."""
    days = select(ledger_balances.c.day).distinct()
    with database.connect() as connection:
        used = {month_of(day * _DAY) for day in connection.execute(days).scalars()}
    return now, *sorted(used - {now})


def _days_of(month: str) -> tuple[int, int]:
    """The first day of a month and that of the following one, counted from 1970."""
    year, number = map(int, month.split("-"))
    following = date(year + number // 12, number % 12 + 1, 1)
    return date(year, number, 1).toordinal() - _EPOCH, following.toordinal() - _EPOCH
