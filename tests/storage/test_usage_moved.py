"""Migration 0010: the calls that were recorded before the ledger move into it."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from alembic.config import Config
from sqlalchemy import Connection, text

from plugin.ledger.batch import Batch, put
from plugin.ledger.entries import Call, Outcome, Settled
from plugin.ledger.reader import balances
from plugin.ledger.verify import verify
from plugin.storage import migrate
from plugin.storage.database import open_blocking

_DAY = 86_400_000
_NOON = 20_000 * _DAY + _DAY // 2
"""Milliseconds since 1970: noon of day 20,000."""

_CALLS: Sequence[Mapping[str, Any]] = (
    {"path": "/v1/chat/completions", "tokens_in": 100, "tokens_out": 20},
    {"path": "/v1/chat/completions", "time": _NOON + _DAY, "by": "large", "tokens_in": 7},
    {"path": "/v1/engines/{engine:engine}/completions", "caller": "key_bob", "tokens_in": 3},
    {"path": "/v1/embeddings", "caller": "key_bob", "status": None, "ended": "caller left"},
    {"path": "/v1/something", "model": "小さい\u2028\x7f", "request": "ré\x01", "tokens_out": 4},
)


@contextmanager
def begun(url: str) -> Iterator[Connection]:
    engine = open_blocking(url)
    with engine.begin() as connection:
        yield connection
    engine.dispose()


def bring_to(url: str, revision: str) -> None:
    from alembic import command

    config = Config()
    config.set_main_option("script_location", str(migrate.MIGRATIONS))
    with begun(url) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def record(url: str, calls: Sequence[Mapping[str, Any]]) -> None:
    """Store calls as a version of that time did."""
    statement = text(
        "INSERT INTO model_calls VALUES (:serial, :time, :request, :caller, :path, :model, :by,"
        " :tokens_in, :tokens_out, :status, :milliseconds, :ended)"
    )
    usual = {
        "time": _NOON,
        "caller": "key_ann",
        "model": "small",
        "by": None,
        "tokens_in": 0,
        "tokens_out": 0,
        "status": 200,
        "milliseconds": 1_500,
        "ended": None,
    }
    with begun(url) as connection:
        connection.exec_driver_sql(
            "INSERT INTO api_keys (serial, hash, id, name, hint, scopes, created_at)"
            " VALUES (1, x'00', 'key_ann', 'Ann', 'h', '*', 1)"
        )
        for serial, call in enumerate(calls, 1):
            named = {"serial": serial, "request": f"req_{serial}"}
            connection.execute(statement, {**usual, **named, **call})


def settled(number: int, request_id: str, **given: Any) -> Settled:
    """A call in the ledger of the caller `key_ann`."""
    call = Call(_NOON * 1_000, request_id, "key_ann", "Ann", "gpt", "create_completion", "small")
    return Settled(number, call, Outcome(status=200, **given))


def totals(url: str) -> Mapping[str | None, tuple[int, int, int]]:
    """Calls and tokens of each key."""
    database = open_blocking(url)
    try:
        assert verify(database).faults == []
        found = balances(database, 0, 2**30, ["key"])
    finally:
        database.dispose()
    keys = {one.key for one in found}
    return {
        key: (
            sum(one.calls for one in found if one.key == key),
            sum(one.tokens_in for one in found if one.key == key),
            sum(one.tokens_out for one in found if one.key == key),
        )
        for key in keys
    }


def rows(url: str, columns: str) -> list[tuple[Any, ...]]:
    with begun(url) as connection:
        query = f"SELECT {columns} FROM ledger ORDER BY serial"  # noqa: S608 - words of this module
        return [tuple(row) for row in connection.exec_driver_sql(query)]


@pytest.mark.parametrize("revision", ["0005", "0006", "0009"])
def test_usage_from_before_the_ledger_is_kept(url: str, revision: str) -> None:
    bring_to(url, revision)
    record(url, _CALLS)
    migrate.upgrade(url)
    assert totals(url) == {"key_ann": (3, 107, 24), "key_bob": (2, 3, 0)}


def test_a_call_becomes_a_row_of_the_ledger(url: str) -> None:
    bring_to(url, "0006")
    record(url, _CALLS)
    migrate.upgrade(url)
    shown = "kind, time, request_id, caller_name, action, model, answered_by, status, ended"
    begin = (_NOON - 1_500) * 1_000
    assert rows(url, shown)[:-1] == [
        ("call", begin, "req_1", "Ann", "create_chat_completion", "small", None, 200, "whole"),
        (
            *("call", begin + _DAY * 1_000, "req_2", "Ann", "create_chat_completion", "small"),
            *("large", 200, "whole"),
        ),
        ("call", begin, "req_3", None, "create_engine_completion", "small", None, 200, "whole"),
        ("call", begin, "req_4", None, "create_embedding", "small", None, None, "caller left"),
        ("call", begin, "ré\x01", "Ann", "/v1/something", "小さい\u2028\x7f", None, 200, "whole"),
    ]
    act = ("act", "service", "usage moved", "model_calls", '{"rows":5}')
    assert rows(url, "kind, caller_id, action, subject, detail")[-1] == act


def test_what_the_ledger_has_already_is_not_doubled(url: str) -> None:
    bring_to(url, "0009")
    same = {"path": "/v1/completions", "request": "again", "tokens_in": 1}
    record(url, [same, same, {"path": "/v1/completions", "tokens_in": 10}])
    with begun(url) as connection:
        known = settled(0, "again", tokens_in=1)
        put(connection, Batch("w", "w.1.log", 0, 9, [known, settled(1, "new", tokens_in=5)]), 1)
    migrate.upgrade(url)
    assert totals(url) == {"key_ann": (4, 1 + 1 + 10 + 5, 0)}


def test_later_calls_follow(url: str) -> None:
    bring_to(url, "0005")
    record(url, _CALLS[:1])
    migrate.upgrade(url)
    with begun(url) as connection:
        put(connection, Batch("w", "w.1.log", 0, 9, [settled(0, "new", tokens_in=5)]), 1)
    assert totals(url) == {"key_ann": (2, 105, 20)}


def test_a_database_without_calls_gets_no_row(url: str) -> None:
    bring_to(url, "0009")
    migrate.upgrade(url)
    assert rows(url, "serial") == []
    assert totals(url) == {}
