"""Limits that several workers keep together: hammered, changed while they run, and used up once."""

import asyncio
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.journeys.in_process import plugin_here
from tests.journeys.limit_load import (
    Call,
    Load,
    most_within,
    passed,
    statuses,
    unjust,
    wrong_waits,
)
from tests.journeys.restartable import Restartable, restartable
from tests.journeys.running import new_key, until
from tests.sizes import sized

WORKERS = sized(2, 4)
CAP = sized(20, 100)
"""Requests a second; a busy machine can answer more than that."""

SETTINGS = {
    "PLUGIN_LOG_LEVEL": "warning",
    "PLUGIN_PRICES": json.dumps({"list_todos": {"call": 10}}),
}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Restartable]:
    """Each test limits a key of its own."""
    with restartable(tmp_path_factory.mktemp("limits"), WORKERS, SETTINGS) as started:
        yield started


@pytest.fixture
def key(service: Restartable) -> dict[str, Any]:
    return new_key(service.directory)


def set_limit(service: Restartable, key: dict[str, Any], *arguments: str) -> None:
    done = plugin_here(service.directory, "limits", "set", *arguments, "--key", key["id"])
    assert done.returncode == 0, done.stderr


def at_once(
    service: Restartable, key: dict[str, Any], clients: int = 1, each: int = 1
) -> dict[int, int]:
    """Return how many calls of this key there were of each status."""
    load = Load(service.address.port, key["key"], clients)
    return dict(statuses(asyncio.run(load.at_once(each=each))))


def test_a_rate_is_never_passed_and_hardly_missed(
    service: Restartable, key: dict[str, Any]
) -> None:
    set_limit(service, key, "requests", str(CAP), "--per", "second")
    load = Load(service.address.port, key["key"], 40, pause=sized(0.1, 0.0))
    calls = asyncio.run(load.for_seconds(sized(4.0, 5.5)))
    assert set(statuses(calls)) == {200, 429}
    assert most_within(calls, 1.0) <= CAP
    assert not unjust(calls, CAP, 1.0)
    assert passed(calls) > 2 * CAP
    assert not list(wrong_waits(calls))


def test_a_caller_that_waits_as_told_is_let_through(
    service: Restartable, key: dict[str, Any]
) -> None:
    set_limit(service, key, "requests", "3", "--per", "second")
    load = Load(service.address.port, key["key"], 1)
    refused = until(lambda: [one for one in asyncio.run(load.at_once(each=4)) if is_refused(one)])[
        0
    ]
    assert refused.retry_after is not None
    calls = [refused]
    while is_refused(calls[-1]):
        time.sleep(0.05)
        calls += asyncio.run(load.at_once())
    *early, first = calls
    assert first.status == 200
    assert first.answered > refused.sent + refused.retry_after - 0.2
    assert all(one.sent < refused.answered + refused.retry_after + 0.05 for one in early)


def is_refused(call: Call) -> bool:
    return call.status == 429


def test_a_budget_is_used_up_exactly_and_raised_while_it_runs(
    service: Restartable, key: dict[str, Any]
) -> None:
    set_limit(service, key, "units", "370", "--per", "month")
    set_limit(service, key, "concurrent", "1000")
    assert at_once(service, key, clients=300) == {200: 37, 429: 263}
    done = plugin_here(service.directory, "limits", "show", "--key", key["id"], "--json")
    assert [one["left"] for one in json.loads(done.stdout) if one["measure"] == "units"] == [0]
    set_limit(service, key, "units", "380", "--per", "month")
    assert at_once(service, key, clients=40) == {200: 1, 429: 39}


def test_a_day_outlives_the_service_and_a_budget_outlives_its_counts(
    service: Restartable, key: dict[str, Any]
) -> None:
    thrifty = new_key(service.directory)
    set_limit(service, key, "requests", "5", "--per", "day")
    set_limit(service, thrifty, "requests", "3", "--per", "none")
    assert at_once(service, key, each=6) == {200: 5, 429: 1}
    assert at_once(service, thrifty, each=2) == {200: 2}
    service.stop(sized(1, WORKERS))
    assert at_once(service, key) == {429: 1}
    set_limit(service, key, "requests", "6", "--per", "day")
    assert until(lambda: at_once(service, key) == {200: 1})
    service.stop(sized(1, WORKERS))
    (service.directory / "data" / "counters.bin").unlink()
    assert at_once(service, thrifty, each=3) == {200: 1, 429: 2}
