"""A lost file of counts: what the ledger knows is charged again, once."""

import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from plugin.gate.counters.shared import SharedCounters
from plugin.gate.limits import Limit, Limits, month_of
from plugin.gate.prices import Prices
from plugin.gate.seeding import seed
from plugin.ledger.tables import ledger, ledger_balances
from plugin.storage.database import open_blocking
from plugin.storage.migrate import prepare

TODAY = int(time.time()) // 86_400


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Engine]:
    url = f"sqlite:///{tmp_path / 'plugin.db'}"
    prepare(tmp_path, url)
    engine = open_blocking(url)
    yield engine
    engine.dispose()


def used(database: Engine, **more: Any) -> None:
    """A balance, and the row that it comes from."""
    sums: dict[str, Any] = {"calls": 1, "tokens_in": 10, "tokens_out": 20, "units": 300} | more
    balance: dict[str, Any] = {
        "caller_id": "ann",
        "day": TODAY,
        "model": "m",
        "action": "chat",
    } | sums
    row = {name: balance[name] for name in balance if name not in {"day", "calls"}} | {
        "serial": int(time.time_ns()),
        "kind": "call",
        "time": (balance["day"] - TODAY) * 86_400_000_000 + int(time.time() * 1e6),
        "reserved": 0,
        "duration": 0,
        "hash": b"",
    }
    with database.begin() as connection:
        connection.execute(ledger_balances.insert().values(balance))
        connection.execute(ledger.insert().values(row))


def left(directory: Path, database: Engine, *limits: Limit, now: float | None = None) -> list[int]:
    """What is left of the limits (for ann, m and chat) once the counts are filled, twice."""
    subjects = {"key": "ann", "model": "m", "operation": "chat"}
    with closing(SharedCounters(directory / "counters.bin")) as counters:
        now = time.time() if now is None else now
        found = Limits(limits, Prices(), month_of(now))
        assert seed(counters, found, database, directory / "seed.lock", now)
        assert not seed(counters, found, database, directory / "seed.lock", now)
        met = [one for one in found.of(subjects) if one.measure != "concurrent"]
        return [counters.level(found.take(one)).left for one in met]


@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        (Limit("key", "*", "units", "month", 1000), 700),
        (Limit("key", "ann", "units", "none", 1000), 400),
        (Limit("key", "bob", "units", "none", 1000), None),
        (Limit("all", "*", "units", "none", 1000), 300),
        (Limit("model", "m", "tokens", "month", 100), 40),
        (Limit("operation", "*", "requests", "none", 10), 7),
        (Limit("key", "*", "requests", "day", 10), 9),
        (Limit("key", "*", "tokens", "day", 100), 70),
        (Limit("key", "*", "units", "minute", 1000), 1000),
    ],
)
def test_what_was_used_is_charged(
    tmp_path: Path, database: Engine, limit: Limit, expected: int | None
) -> None:
    used(database)
    used(database, caller_id="bob", units=100)
    used(database, day=TODAY - 62)
    assert left(tmp_path, database, limit) == ([] if expected is None else [expected])


def test_where_nothing_was_used_everything_is_left(tmp_path: Path, database: Engine) -> None:
    assert left(tmp_path, database, Limit("key", "*", "units", "month", 5)) == [5]


def test_a_clock_that_was_ahead_once_charges_nothing_now(tmp_path: Path, database: Engine) -> None:
    used(database)
    used(database, day=TODAY + 5_000, units=1_000)
    limits = Limit("key", "*", "units", "month", 1000), Limit("key", "*", "units", "day", 1000)
    assert left(tmp_path, database, *limits) == [700, 700]


@pytest.mark.parametrize("wrong", [0.0, 4e9])
def test_the_right_month_is_charged_though_the_clock_is_wrong(
    tmp_path: Path, database: Engine, wrong: float
) -> None:
    used(database)
    limit = Limit("key", "*", "units", "month", 1000)
    assert left(tmp_path, database, limit, now=wrong) == [1000]
    with closing(SharedCounters(tmp_path / "counters.bin")) as counters:
        assert counters.level(limit.take(month_of(time.time()), "ann")).left == 700
