"""Limits that four workers keep together: hammered, changed while they run, and used up once."""

import asyncio
import json
import time
from pathlib import Path

from tests.journeys.limit_load import Load, most_within, passed, statuses, unjust, wrong_waits
from tests.journeys.running import new_key, plugin, running, until

WORKERS = {"PLUGIN_LOG_LEVEL": "warning"}


def set_limit(directory: Path, *arguments: str) -> None:
    done = plugin(directory, "limits", "set", *arguments)
    assert done.returncode == 0, done.stderr


def test_a_rate_is_never_passed_and_hardly_missed(tmp_path: Path) -> None:
    key = new_key(tmp_path)
    set_limit(tmp_path, "requests", "100", "--per", "second", "--key", "*")
    with running(tmp_path, "serve", "--workers", "4", settings=WORKERS) as started:
        load = Load(started.address.port, key["key"], 40)
        calls = asyncio.run(load.for_seconds(5.5))
    assert set(statuses(calls)) == {200, 429}
    assert most_within(calls, 1.0) <= 100
    assert not unjust(calls, 100, 1.0)
    assert passed(calls) > 200
    assert not list(wrong_waits(calls))


def test_who_waits_as_told_is_let_through(tmp_path: Path) -> None:
    key = new_key(tmp_path)
    set_limit(tmp_path, "requests", "3", "--per", "second", "--key", "*")
    with running(tmp_path, "serve", "--workers", "2", settings=WORKERS) as started:
        load = Load(started.address.port, key["key"], 1)
        calls = asyncio.run(load.at_once(each=4))
        refused = calls[-1]
        assert refused.status == 429
        assert refused.retry_after is not None
        early = refused.answered + refused.retry_after - 0.2
        time.sleep(max(0.0, early - time.monotonic()))
        assert asyncio.run(load.at_once())[0].status == 429
        time.sleep(0.25)
        assert asyncio.run(load.at_once())[0].status == 200


def test_a_budget_is_used_up_exactly_and_raised_while_it_runs(tmp_path: Path) -> None:
    key = new_key(tmp_path)
    set_limit(tmp_path, "units", "370", "--per", "month", "--key", key["id"])
    settings = {**WORKERS, "PLUGIN_PRICES": json.dumps({"list_todos": {"call": 10}})}
    set_limit(tmp_path, "concurrent", "1000", "--key", "*")
    with running(tmp_path, "serve", "--workers", "4", settings=settings) as started:
        load = Load(started.address.port, key["key"], 300)
        assert statuses(asyncio.run(load.at_once())) == {200: 37, 429: 263}
        shown = json.loads(plugin(tmp_path, "limits", "show", "--key", key["id"], "--json").stdout)
        assert [one["left"] for one in shown if one["measure"] == "units"] == [0]
        set_limit(tmp_path, "units", "380", "--per", "month", "--key", key["id"])
        again = Load(started.address.port, key["key"], 40)
        assert statuses(asyncio.run(again.at_once())) == {200: 1, 429: 39}


def test_a_budget_outlives_its_counts(tmp_path: Path) -> None:
    key = new_key(tmp_path)
    set_limit(tmp_path, "requests", "3", "--per", "none", "--key", "*")
    with running(tmp_path, "serve", settings=WORKERS) as started:
        load = Load(started.address.port, key["key"], 1)
        assert statuses(asyncio.run(load.at_once(each=2))) == {200: 2}
    (tmp_path / "data" / "counters.bin").unlink()
    with running(tmp_path, "serve", "--workers", "2", settings=WORKERS) as started:
        load = Load(started.address.port, key["key"], 1)
        assert statuses(asyncio.run(load.at_once(each=3))) == {200: 1, 429: 2}


def test_a_day_outlives_the_service(tmp_path: Path) -> None:
    key = new_key(tmp_path)
    set_limit(tmp_path, "requests", "5", "--per", "day", "--key", "*")
    with running(tmp_path, "serve", "--workers", "2", settings=WORKERS) as started:
        load = Load(started.address.port, key["key"], 1)
        assert statuses(asyncio.run(load.at_once(each=6))) == {200: 5, 429: 1}
    with running(tmp_path, "serve", settings=WORKERS) as started:
        assert asyncio.run(load_of(started.address.port, key["key"])) == 429
        set_limit(tmp_path, "requests", "6", "--per", "day", "--key", "*")
        assert until(lambda: asyncio.run(load_of(started.address.port, key["key"]))) == 200


async def load_of(port: int, key: str) -> int:
    (call,) = await Load(port, key, 1).at_once()
    return call.status
