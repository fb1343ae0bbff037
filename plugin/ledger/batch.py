"""One transaction of the ledger: rows, their chain, balances, open calls, and how far it has read.

All of it or nothing, so it does not matter when anybody is killed. What was read twice after all
is known by its worker and number.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from operator import itemgetter
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection, delete, func, insert, select, update

from plugin.ledger.chain import FIELDS, START, link
from plugin.ledger.entries import Act, Call, Entry, Opened, Outcome, Settled, Skipped
from plugin.ledger.tables import (
    ledger,
    ledger_balances,
    ledger_head,
    ledger_journals,
    ledger_open,
)
from plugin.storage.rows import insert_rows

MICROSECONDS_OF_A_DAY = 86_400_000_000
UNSETTLED = "unsettled"
"""How a call ended whose worker died before it did: what was reserved is charged."""

_DENSE = 4
"""A range is read as one that holds so many times what is looked for, at most."""

SERVICE = "service"
"""Who does what nobody does."""


class Batch(NamedTuple):
    """A piece of a journal on its way to the ledger: what lies between two positions."""

    worker: str
    journal: str
    begin: int
    end: int
    entries: Sequence[Entry]
    skipped: Sequence[Skipped] = ()


class ReadByAnother(Exception):  # noqa: N818 - an event, seldom a fault
    """The position in a journal is not where it was left: somebody else wrote in between."""


class _Row(NamedTuple):
    """What is known of a row before its place in the chain is."""

    kind: str
    worker: str | None
    number: int | None
    call: Call
    outcome: Outcome
    subject: str | None = None


def put(connection: Connection, batch: Batch, now: int) -> int:
    """Write a batch; gives how many rows it made. `now` is in microseconds since 1970.

    Raises `ReadByAnother`, and then nothing may be committed.
    """
    head = _take_head(connection, now)
    _move(connection, batch)
    known = _known(connection, batch.worker, {entry.number for entry in batch.entries})
    rows = [*_of_skipped(batch, now), *_of_entries(batch, known)]
    _append(connection, head, rows)
    _follow_open(connection, batch, known)
    return len(rows)


def bury(connection: Connection, worker: str, now: int, most: int = 500) -> int:
    """End calls of a worker that is dead and wholly read; gives how many, 0 when none is left."""
    head = _take_head(connection, now)
    mine = ledger_open.c.worker == worker
    wanted = select(ledger_open.c.number, ledger_open.c.call).where(mine)
    found = connection.execute(wanted.order_by(ledger_open.c.number).limit(most)).all()
    if not found:
        return 0
    calls = [(number, Call(*orjson.loads(call))) for number, call in found]
    _append(connection, head, [_unsettled(worker, number, call) for number, call in calls])
    last = found[-1].number
    connection.execute(delete(ledger_open).where(mine, ledger_open.c.number <= last))
    return len(found)


def begin_anew(connection: Connection, kept: tuple[int, bytes], act: Act) -> bool:
    """Empty the ledger whose head is `kept`, so that `act` is its first row; False for another."""
    if _take_head(connection, act.time) != kept:
        return False
    for table in (ledger, ledger_balances):
        connection.execute(delete(table))
    connection.execute(update(ledger_head).values(serial=0, hash=START))
    _append(connection, (0, START), [_of_act(None, None, act)])
    return True


def _unsettled(worker: str, number: int, call: Call) -> _Row:
    return _Row("call", worker, number, call, Outcome(units=call.reserved, ended=UNSETTLED))


def _take_head(connection: Connection, now: int) -> tuple[int, bytes]:
    """The last row's serial and hash, held against every other writer until the end."""
    head = ledger_head
    taken = connection.execute(update(head).values(serial=head.c.serial)).rowcount
    last = connection.execute(select(func.max(ledger.c.serial))).scalar() or 0
    found = connection.execute(select(head.c.serial, head.c.hash)).first()
    if taken == 1 and found is not None:
        # Where somebody added rows behind the head, ours follow theirs; a check will find them.
        return max(int(found.serial), last), bytes(found.hash)
    kept = connection.execute(select(ledger.c.hash).where(ledger.c.serial == last)).scalar()
    hashed = bytes(kept) if kept else START
    connection.execute(insert(head).values(id=1, serial=last, hash=hashed))
    lost = Act(now, "ledger head lost", "ledger", f'{{"serial":{last}}}', SERVICE)
    _append(connection, (last, hashed), [_of_act(None, None, lost)])
    return _take_head(connection, now)


def _move(connection: Connection, batch: Batch) -> None:
    """From where the batch begins to where it ends; nobody else may have moved it."""
    journals = ledger_journals
    moved = connection.execute(
        update(journals)
        .where(journals.c.name == batch.journal, journals.c.position == batch.begin)
        .values(position=batch.end)
    )
    if moved.rowcount:
        return
    wanted = select(journals.c.position).where(journals.c.name == batch.journal)
    if batch.begin or connection.execute(wanted).first():
        raise ReadByAnother(batch.journal)
    connection.execute(insert(journals).values(name=batch.journal, position=batch.end))


def _known(connection: Connection, worker: str, numbers: Collection[int]) -> set[int]:
    """Which of these have a row already."""
    if not numbers:
        return set()
    least, most = min(numbers), max(numbers)
    # Those of a journal lie side by side, but for what took long; as a range they need no list.
    wanted = ledger.c.number.in_(numbers)
    if most - least < _DENSE * len(numbers):
        wanted = ledger.c.number.between(least, most)
    found = connection.execute(select(ledger.c.number).where(ledger.c.worker == worker, wanted))
    return set(found.scalars()).intersection(numbers)


def _of_entries(batch: Batch, known: Collection[int]) -> Iterator[_Row]:
    seen = set(known)
    for entry in batch.entries:
        if isinstance(entry, Opened) or entry.number in seen:
            continue
        seen.add(entry.number)
        if isinstance(entry, Settled):
            yield _Row("call", batch.worker, entry.number, entry.call, entry.outcome)
        else:
            yield _of_act(batch.worker, entry.number, entry.act)


def _of_skipped(batch: Batch, now: int) -> Iterator[_Row]:
    for offset, length in batch.skipped:
        where = {"file": batch.journal, "offset": offset, "bytes": length}
        detail = orjson.dumps(where).decode()
        yield _of_act(None, None, Act(now, "journal damaged", batch.journal, detail, SERVICE))


def _of_act(worker: str | None, number: int | None, act: Act) -> _Row:
    call = Call(act.time, "", act.by, "", "", act.kind)
    return _Row("act", worker, number, call, Outcome(ended="", detail=act.detail), act.subject)


def _append(connection: Connection, head: tuple[int, bytes], rows: Sequence[_Row]) -> None:
    """Chain the rows to the last one and add them to the balances."""
    if not rows:
        return
    serial, hashed = head
    made: list[tuple[Any, ...]] = []
    for row in rows:
        serial += 1
        fields = _fields(serial, row)
        hashed = link(hashed, fields)
        made.append((*fields, hashed))
    insert_rows(connection, ledger, made)
    connection.execute(update(ledger_head).values(serial=serial, hash=hashed))
    sums = add_up(made)
    if sums:
        parts = [(*key, *values) for key, values in sums.items()]
        insert_rows(connection, ledger_balances, parts, _ADDED)


def _fields(serial: int, row: _Row) -> tuple[Any, ...]:
    call, outcome = row.call, row.outcome
    return (
        serial,
        row.kind,
        call.time,
        row.worker,
        row.number,
        _cut(call.request_id, 128),
        _cut(call.caller_id, 64),
        _cut(call.caller_name, 256),
        _cut(call.door, 32),
        call.action[:256],
        _cut(call.model, 256),
        _cut(outcome.answered_by, 256),
        _cut(row.subject, 256),
        outcome.tokens_in,
        outcome.tokens_out,
        call.reserved,
        outcome.units,
        outcome.status,
        outcome.duration,
        _cut(outcome.ended, 64),
        outcome.detail or None,
    )


def _cut(value: str | None, longest: int) -> str | None:
    return value[:longest] if value else None


Sums = list[int]
"""Calls, tokens in, tokens out, units."""

Balance = tuple[str, int, str, str]
"""Caller, day, model, action."""


def add_up(
    rows: Iterable[Sequence[Any]], sums: dict[Balance, Sums] | None = None
) -> dict[Balance, Sums]:
    """What rows of the ledger, in the order of its columns, add up to on top of `sums`."""
    sums = {} if sums is None else sums
    for row in rows:
        kind, time, caller, action, model, tokens_in, tokens_out, units = _SUMMED(row)
        if kind != "call":
            continue
        key = (caller or "", time // MICROSECONDS_OF_A_DAY, model or "", action)
        found = sums.setdefault(key, [0, 0, 0, 0])
        found[0] += 1
        found[1] += tokens_in
        found[2] += tokens_out
        found[3] += units
    return sums


_SUMMED = itemgetter(
    *map(
        FIELDS.index,
        ("kind", "time", "caller_id", "action", "model", "tokens_in", "tokens_out", "units"),
    )
)
_ADDED = (
    "ON CONFLICT (caller_id, day, model, action) DO UPDATE SET"
    " calls = ledger_balances.calls + excluded.calls,"
    " tokens_in = ledger_balances.tokens_in + excluded.tokens_in,"
    " tokens_out = ledger_balances.tokens_out + excluded.tokens_out,"
    " units = ledger_balances.units + excluded.units"
)
_KEPT = "ON CONFLICT (worker, number) DO UPDATE SET call = excluded.call"


def _follow_open(connection: Connection, batch: Batch, known: Collection[int]) -> None:
    """Which calls are under way now."""
    ended = {entry.number for entry in batch.entries if isinstance(entry, Settled)}
    opened = {
        entry.number: entry.call
        for entry in batch.entries
        if isinstance(entry, Opened) and entry.number not in ended and entry.number not in known
    }
    if ended:
        mine = ledger_open.c.worker == batch.worker
        # Few are open, and most that end were opened in this very batch.
        held = connection.execute(select(ledger_open.c.number).where(mine)).scalars()
        gone = ended.intersection(held)
        if gone:
            connection.execute(delete(ledger_open).where(mine, ledger_open.c.number.in_(gone)))
    if opened:
        parts = [
            (batch.worker, number, orjson.dumps(list(call)).decode())
            for number, call in opened.items()
        ]
        insert_rows(connection, ledger_open, parts, _KEPT)
