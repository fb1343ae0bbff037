"""Whether the ledger is what was written: every row in its place, and the balances their sums."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, select

from plugin.ledger.batch import Balance, Sums, add_up
from plugin.ledger.chain import START, link
from plugin.ledger.tables import ledger, ledger_balances, ledger_head

_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong first: at which row of the ledger (None: a balance), and what."""

    serial: int | None
    what: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check found. `rows` were looked at; `head` is the hash that the ledger ends with.

    Who keeps `rows` and `head` elsewhere can later tell that nobody wrote the ledger anew.
    """

    rows: int
    head: bytes
    faults: Sequence[Fault]


def verify(database: Engine, kept: tuple[int, bytes] | None = None) -> Verdict:
    """Recompute the chain up to its first fault, and the balances if there is none.

    `kept` is a row's number and hash, as an earlier verdict had them.
    """
    with database.connect() as connection:
        # One state of the database, whoever writes meanwhile.
        connection.exec_driver_sql("BEGIN")
        walk = _Walk(kept)
        found = next(walk.faults(connection), None)
        faults = [*_of_balances(connection, walk.sums)] if found is None else [found]
        connection.rollback()
    return Verdict(walk.serial, walk.hash, faults)


class _Walk:
    """Along the rows: where it stands, and what they add up to."""

    def __init__(self, kept: tuple[int, bytes] | None) -> None:
        self._kept = kept or (0, START)
        self.serial = 0
        self.hash = START
        self.sums: dict[Balance, Sums] = {}

    def faults(self, connection: Connection) -> Iterator[Fault]:
        """What is wrong; what comes after a first fault cannot be relied on."""
        head = connection.execute(select(ledger_head.c.serial, ledger_head.c.hash)).first()
        last = None if head is None else int(head.serial)
        rows = connection.execute(
            select(ledger).order_by(ledger.c.serial).execution_options(yield_per=_AT_ONCE)
        )
        for part in rows.partitions():
            for row in part:
                yield from self._step(tuple(row), last)
            add_up(part, self.sums)
        yield from self._end(head)

    def _step(self, row: tuple[Any, ...], last: int | None) -> Iterator[Fault]:
        *fields, hashed = row
        serial = fields[0]
        if serial != self.serial + 1:
            missing = self.serial + 1
            said = f"row {missing} is missing: row {serial} follows row {self.serial}"
            if serial < 1:
                missing, said = serial, f"row {serial} was added: the first row is row 1"
            yield Fault(missing, said)
        if last is not None and serial > last:
            yield Fault(serial, f"row {serial} was added: the ledger ends with row {last}")
        if link(self.hash, fields) != hashed:
            yield Fault(
                serial, f"row {serial} was changed, or stands in another's place ({_told(fields)})"
            )
        if serial == self._kept[0] and hashed != self._kept[1]:
            yield Fault(serial, f"row {serial} is not the one that was there at the earlier check")
        self.serial, self.hash = serial, hashed

    def _end(self, head: Any) -> Iterator[Fault]:
        if head is None:
            yield Fault(self.serial, f"nothing says that row {self.serial} is the last one")
        elif head.serial != self.serial:
            yield Fault(
                self.serial + 1,
                f"row {self.serial + 1} is missing: the ledger ends with row {head.serial}",
            )
        elif head.hash != self.hash:
            yield Fault(self.serial, f"row {self.serial} is not the one that was written last")
        elif self.serial < self._kept[0]:
            there = f"row {self._kept[0]} was there at the earlier check"
            yield Fault(self.serial + 1, f"row {self.serial + 1} is missing: {there}")


def _told(fields: Sequence[Any]) -> str:
    named = dict(zip((column.name for column in ledger.columns), fields, strict=False))
    return ", ".join(
        f"{name.replace('_', ' ')} {named[name]}"
        for name in ("action", "request_id", "caller_id")
        if named[name] is not None
    )


def _of_balances(connection: Connection, sums: Mapping[Balance, Sums]) -> Iterator[Fault]:
    names = ("calls", "tokens in", "tokens out", "units")
    left = dict(sums)
    for row in connection.execute(select(ledger_balances).order_by(*_KEY)):
        caller, day, model, action, *said = row
        due = left.pop((caller, day, model, action), [0, 0, 0, 0])
        for name, is_, should in zip(names, said, due, strict=True):
            if is_ != should:
                place = _place((caller, day, model, action))
                yield Fault(
                    None, f"the balance of {place} says {name} {is_}, its rows add up to {should}"
                )
    for key, due in sorted(left.items()):
        yield Fault(None, f"the balance of {_place(key)} is missing, its rows have calls {due[0]}")


_KEY = (
    ledger_balances.c.day,
    ledger_balances.c.caller_id,
    ledger_balances.c.model,
    ledger_balances.c.action,
)


def _place(key: Balance) -> str:
    from datetime import date, timedelta

    caller, day, model, action = key
    named = date(1970, 1, 1) + timedelta(days=day)
    return " ".join(part for part in (caller, f"on {named}", action, model) if part)
