"""Move the calls of models into the ledger, and drop the table that they had of their own.

Usage, budgets and `plugin ledger verify` read the ledger alone, so the calls become rows of it: at
its end, since a row in between would break the chain. An act behind them says where they are from.
What is here is frozen: it has the form of the ledger at this revision, and imports none of it.
"""

import json
import re
import time
from collections.abc import Iterable, Iterator
from hashlib import sha256
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


_ACTIONS = {
    "chat/completions": "create_chat_completion",
    "completions": "create_completion",
    "edits": "create_edit",
    "embeddings": "create_embedding",
    "moderations": "create_moderation",
    "images/generations": "create_image",
    "images/edits": "create_image_edit",
    "images/variations": "create_image_variation",
}
"""What the ledger calls the endpoints below `/v1`; other paths keep their name."""

_ENGINE = re.compile(r"/v1/engines/.+/(chat/completions|completions|edits|embeddings)")
_SOURCE = "model_calls"
"""Stands for the worker of these rows: with the number of the old row it names each for good."""

_CALLS = """
    SELECT c.serial, c.time, c.request_id, c.caller_id, c.path, c.model, c.answered_by,
           c.tokens_in, c.tokens_out, c.status, c.milliseconds, c.ended,
           (SELECT name FROM api_keys WHERE id = c.caller_id ORDER BY serial DESC LIMIT 1) AS name
    FROM model_calls AS c
    WHERE c.serial > :after AND c.serial NOT IN (SELECT serial FROM in_both)
    ORDER BY c.serial LIMIT 1000
"""
# For a time both had every call. A caller may use a request id again, so they are counted.
_IN_BOTH = """
    CREATE TEMP TABLE in_both AS
    SELECT m.serial FROM
        (SELECT serial, request_id, caller_id, row_number() OVER (
            PARTITION BY caller_id, request_id ORDER BY serial) AS place FROM model_calls) AS m
        JOIN (SELECT request_id, caller_id, count(*) AS known FROM ledger
              WHERE kind = 'call' AND model IS NOT NULL GROUP BY caller_id, request_id) AS l
        ON l.request_id = m.request_id AND l.caller_id = m.caller_id AND m.place <= l.known
"""
_BALANCE = """
    INSERT INTO ledger_balances VALUES
        (:caller, :day, :model, :action, 1, :tokens_in, :tokens_out, 0)
    ON CONFLICT (caller_id, day, model, action) DO UPDATE SET calls = calls + 1,
        tokens_in = tokens_in + excluded.tokens_in, tokens_out = tokens_out + excluded.tokens_out
"""


def upgrade() -> None:
    _move_calls(op.get_bind())
    op.drop_table("model_calls")


def _move_calls(connection: sa.Connection) -> None:
    if not connection.execute(sa.text("SELECT count(*) FROM model_calls")).scalar():
        return
    connection.execute(sa.text(_IN_BOTH))
    head = connection.execute(sa.text("SELECT serial, hash FROM ledger_head")).one()
    serial, hashed, moved = int(head.serial), bytes(head.hash), 0
    for call in _calls(connection):
        serial, moved = serial + 1, moved + 1
        fields = _fields(serial, call)
        hashed = _append(connection, hashed, fields)
        _, _, moment, _, _, _, caller, _, _, action, model, *_ = fields
        balance = {
            "caller": caller or "",
            "day": moment // 86_400_000_000,
            "model": model or "",
            "action": action,
            "tokens_in": call.tokens_in,
            "tokens_out": call.tokens_out,
        }
        connection.execute(sa.text(_BALANCE), balance)
    if moved:
        serial += 1
        hashed = _append(connection, hashed, _act(serial, moved))
        connection.execute(
            sa.text("UPDATE ledger_head SET serial = :serial, hash = :hash"),
            {"serial": serial, "hash": hashed},
        )
    connection.execute(sa.text("DROP TABLE in_both"))


def _calls(connection: sa.Connection) -> Iterator[Any]:
    """The calls that the ledger does not have yet, oldest first, some at a time."""
    query, after = sa.text(_CALLS), 0
    while part := connection.execute(query, {"after": after}).all():
        yield from part
        after = part[-1].serial


def _fields(serial: int, call: Any) -> list[Any]:
    """A row of the ledger but for its hash. The old table knew when a call ended, not its cost."""
    duration = max(0, call.milliseconds) * 1_000
    return [
        serial,
        "call",
        max(0, call.time * 1_000 - duration),
        _SOURCE,
        call.serial,
        call.request_id or None,
        call.caller_id or None,
        call.name,
        "gpt" if call.path.startswith("/v1/") else "rest",
        _action(call.path),
        call.model or None,
        call.answered_by or None,
        None,
        call.tokens_in,
        call.tokens_out,
        0,
        0,
        call.status,
        duration,
        call.ended or "whole",
        None,
    ]


def _action(path: str) -> str:
    of_engine = _ENGINE.fullmatch(path)
    if of_engine:
        return _ACTIONS[of_engine[1]].replace("create_", "create_engine_")
    return _ACTIONS.get(path.removeprefix("/v1/"), path)


def _act(serial: int, moved: int) -> list[Any]:
    """A row that says what the rows before it are."""
    now, detail = int(time.time() * 1_000_000), json.dumps({"rows": moved}, separators=(",", ":"))
    act = [serial, "act", now, None, None, None, "service", None, None, "usage moved", None, None]
    return [*act, _SOURCE, 0, 0, 0, 0, None, 0, None, detail]


def _append(connection: sa.Connection, hashed: bytes, fields: Iterable[Any]) -> bytes:
    """Write a row behind the one with the hash `hashed`; return its own."""
    row = [*fields]
    text = json.dumps(row, ensure_ascii=False, separators=(",", ":"))
    hashed = sha256(hashed + text.encode()).digest()
    places = ", ".join("?" * (len(row) + 1))
    connection.exec_driver_sql(f"INSERT INTO ledger VALUES ({places})", (*row, hashed))  # noqa: S608 - question marks
    return hashed


def downgrade() -> None:
    op.create_table(
        "model_calls",
        sa.Column("serial", sa.Integer(), nullable=False),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.Column("request_id", sa.String(length=128), nullable=False),
        sa.Column("caller_id", sa.String(length=64), nullable=False),
        sa.Column("path", sa.String(length=256), nullable=False),
        sa.Column("model", sa.String(length=256), nullable=False),
        sa.Column("answered_by", sa.String(length=256), nullable=True),
        sa.Column("tokens_in", sa.BigInteger(), nullable=False),
        sa.Column("tokens_out", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("milliseconds", sa.BigInteger(), nullable=False),
        sa.Column("ended", sa.String(length=64), nullable=True),
        sa.PrimaryKeyConstraint("serial", name=op.f("pk_model_calls")),
    )
    op.create_index(op.f("ix_model_calls_caller_id_time"), "model_calls", ["caller_id", "time"])
    op.create_index(op.f("ix_model_calls_time"), "model_calls", ["time"])
