"""The tables of the ledger: rows, their head, balances, calls under way, and journals read."""

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, String, Table, Text

from plugin.storage.database import metadata

_SERIAL = BigInteger().with_variant(Integer, "sqlite")  # there only this is the row's own number

ledger = Table(
    "ledger",
    metadata,
    Column("serial", _SERIAL, primary_key=True, autoincrement=False),
    Column("kind", String(8), nullable=False),
    Column("time", BigInteger, nullable=False),
    Column("worker", String(64)),
    Column("number", BigInteger),
    Column("request_id", String(128)),
    Column("caller_id", String(64)),
    Column("caller_name", String(256)),
    Column("door", String(32)),
    Column("action", String(256), nullable=False),
    Column("model", String(256)),
    Column("answered_by", String(256)),
    Column("subject", String(256)),
    Column("tokens_in", BigInteger, nullable=False),
    Column("tokens_out", BigInteger, nullable=False),
    Column("reserved", BigInteger, nullable=False),
    Column("units", BigInteger, nullable=False),
    Column("status", Integer),
    Column("duration", BigInteger, nullable=False),
    Column("ended", String(64)),
    Column("detail", Text),
    Column("hash", LargeBinary(32), nullable=False),
    Index("ix_ledger_worker_number", "worker", "number", unique=True),
    Index("ix_ledger_request_id", "request_id"),
    Index("ix_ledger_caller_id_time", "caller_id", "time"),
    Index("ix_ledger_time", "time"),
)
"""One row a call or act, never changed. `time` is when a call was let through, in microseconds
since 1970, and `duration` what it took; an act has its kind in `action`. See `chain` for `hash`."""

ledger_head = Table(
    "ledger_head",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("serial", BigInteger, nullable=False),
    Column("hash", LargeBinary(32), nullable=False),
)
"""One row: the last row of the ledger. Whoever writes takes it first, so there is one at a time."""

ledger_balances = Table(
    "ledger_balances",
    metadata,
    Column("caller_id", String(64), primary_key=True),
    Column("day", Integer, primary_key=True, autoincrement=False),
    Column("model", String(256), primary_key=True),
    Column("action", String(256), primary_key=True),
    Column("calls", BigInteger, nullable=False),
    Column("tokens_in", BigInteger, nullable=False),
    Column("tokens_out", BigInteger, nullable=False),
    Column("units", BigInteger, nullable=False),
    Index("ix_ledger_balances_day", "day"),
)
"""What the rows of calls add up to. `day` counts from 1970 in UTC; no model is an empty text."""

ledger_open = Table(
    "ledger_open",
    metadata,
    Column("worker", String(64), primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("call", Text, nullable=False),
)
"""Calls that are under way as far as journals were read: the fields of `Call` as JSON."""

ledger_journals = Table(
    "ledger_journals",
    metadata,
    Column("name", String(128), primary_key=True),
    Column("position", BigInteger, nullable=False),
)
"""How many bytes of a journal are in the ledger."""
