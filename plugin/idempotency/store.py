"""The table of idempotency keys: who runs a call, and what was answered."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    and_,
    delete,
    func,
    select,
    tuple_,
)
from sqlalchemy.dialects.sqlite import insert

from plugin.storage.database import metadata
from plugin.storage.use import ANSWERS, PER_ANSWER, used

LARGEST_ANSWER = 1_048_576
"""Bytes of an answer that are kept."""

_AT_ONCE = 500

keys = Table(
    "idempotency_keys",
    metadata,
    Column("caller_id", String(64), primary_key=True),
    Column("key", String(255), primary_key=True),
    Column("fingerprint", LargeBinary(32), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("holder", String(64)),
    Column("status", Integer),
    Column("size", BigInteger, nullable=False),
    Column("headers", LargeBinary),
    Column("body", LargeBinary),
    Index("ix_idempotency_keys_created_at", "created_at"),
    Index("ix_idempotency_keys_caller_id_size", "caller_id", "size"),
)
"""`holder` is the worker that runs the call; none: it has ended, and there is a `status`.

`created_at` is in seconds since 1970, `size` in bytes: what a kept answer counts of the quota.
"""


class Name(NamedTuple):
    """A key of a caller."""

    caller_id: str
    key: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered; `body` None: it was too large to keep."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes | None


@dataclass(frozen=True, slots=True)
class Entry:
    """A row: under way by `holder`, or with its `answer`."""

    fingerprint: bytes
    holder: str | None
    answer: Answer | None


@dataclass(frozen=True, slots=True)
class Full:
    """A caller has `used` bytes of answers; no room is left for one more of `needed` bytes."""

    used: int
    needed: int


class KeyTable:
    """The statements on the table, each for a connection of its caller, for one worker `holder`."""

    def __init__(
        self,
        holder: str,
        lives: Callable[[str], bool],
        clock: Callable[[], float],
        lifetime: int,
        *,
        most: int = 0,
    ) -> None:
        self._holder = holder
        self._lives = lives
        self._clock = clock
        self._lifetime = lifetime
        self._most = most

    def claim(self, connection: Connection, name: Name, fingerprint: bytes) -> Entry | Full | None:
        """Make the key ours; what stands there instead, when somebody else has it.

        `Full`, and nothing is made, where the caller's quota has no room for another answer.
        """
        now = int(self._clock())
        while True:
            row = connection.execute(select(keys).where(*_at(name))).mappings().one_or_none()
            if row is not None and not self._is_void(row, now):
                return _entry(row)
            if row is not None:
                # only if nobody else has taken it over since
                same = (keys.c.created_at == row["created_at"], keys.c.holder.is_(row["holder"]))
                connection.execute(delete(keys).where(*_at(name), *same))
            needed = min(LARGEST_ANSWER, self._most // 16)
            if self._most and (kept := used(connection, name.caller_id, ANSWERS)) + needed > (
                self._most
            ):
                return Full(kept, needed)
            ours = insert(keys).values(
                caller_id=name.caller_id,
                key=name.key,
                fingerprint=fingerprint,
                created_at=now,
                holder=self._holder,
                size=0,
            )
            if connection.execute(ours.on_conflict_do_nothing()).rowcount:
                return None

    def keep(self, connection: Connection, name: Name, answer: Answer) -> None:
        """Keep the answer of a call of ours; without its body where the quota has no room for it.

        Such calls were let in side by side. They were carried out, so no key may become free.
        """
        pairs = [(one.decode("latin-1"), other.decode("latin-1")) for one, other in answer.headers]
        headers, body = orjson.dumps(pairs), answer.body or b""
        size = PER_ANSWER + len(headers) + len(body)
        row = keys.update().where(*self._ours(name))
        kept = {"status": answer.status, "headers": headers, "body": answer.body, "size": size}
        connection.execute(row.values(kept))
        # after the write, so that what other processes kept before is counted
        if self._most and used(connection, name.caller_id, ANSWERS) > self._most:
            connection.execute(row.values(headers=b"[]", body=None, size=0))
        connection.execute(row.values(holder=None))

    def free(self, connection: Connection, name: Name) -> None:
        """Forget a call of ours that has no answer to keep."""
        connection.execute(delete(keys).where(*self._ours(name)))

    def held(self, connection: Connection, caller_id: str) -> int:
        """How many keys a caller has."""
        counted = select(func.count()).where(keys.c.caller_id == caller_id)
        return connection.execute(counted).scalar_one()

    def sweep(self, connection: Connection) -> bool:
        """Remove some of the keys whose time is over; whether there may be more."""
        old = keys.c.created_at <= int(self._clock()) - self._lifetime
        wanted = select(keys.c.caller_id, keys.c.key, keys.c.holder).where(old).limit(_AT_ONCE)
        rows = connection.execute(wanted).all()
        over = [(row[0], row[1]) for row in rows if row[2] is None or not self._lives(row[2])]
        if over:
            there = tuple_(keys.c.caller_id, keys.c.key).in_(over)
            connection.execute(delete(keys).where(and_(old, there)))
        return len(over) == _AT_ONCE

    def _is_void(self, row: Mapping[Any, Any], now: int) -> bool:
        """Whether its time is over, or whoever ran it is gone; what is ours is asked when it is."""
        holder = row["holder"]
        if holder is None:
            return bool(row["created_at"] <= now - self._lifetime)
        return holder == self._holder or not self._lives(holder)

    def _ours(self, name: Name) -> tuple[Any, ...]:
        return (*_at(name), keys.c.holder == self._holder)


def _at(name: Name) -> tuple[Any, ...]:
    return keys.c.caller_id == name.caller_id, keys.c.key == name.key


def _entry(row: Mapping[Any, Any]) -> Entry:
    if row["holder"] is not None:
        return Entry(row["fingerprint"], row["holder"], None)
    pairs = orjson.loads(row["headers"])
    headers = tuple((name.encode("latin-1"), text.encode("latin-1")) for name, text in pairs)
    return Entry(row["fingerprint"], None, Answer(row["status"], headers, row["body"]))
