import asyncio
import time
from pathlib import Path

import pytest

from plugin.ledger.entries import Call
from plugin.ledger.reader import (
    LedgerReader,
    acts,
    balances,
    calls_of,
    first_day,
    under_way,
)
from plugin.pools.turns import Turns
from plugin.storage.database import open_database
from tests.ledger.world import DAY, NOW, World, call, outcome
from tests.pools.threads import some_threads

START = int(NOW) * 1_000
MINUTE = 60_000


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def write(world: World, *given: Call, answered_by: str | None = None) -> None:
    with world.journal() as journal:
        for one in given:
            journal.settled(journal.opened(one), one, outcome(answered_by=answered_by))


async def test_sums_are_of_a_caller_a_step_and_a_model(world: World) -> None:
    later = call(6).time + 700 * 1_000_000
    write(
        world,
        call(1),
        call(2),
        call(3, caller_id="key_ben"),
        call(4, model="large"),
        call(5, model=None, action="list_todos"),
        call(6, time=later),
        answered_by="here",
    )
    database = open_database(world.url)
    reader = LedgerReader(
        database, world.drain, threads=some_threads(), heavy=Turns("heavy work", 8)
    )
    mine = await reader.sums(START, START + 60 * MINUTE, 5 * MINUTE, "key_ann")
    chat = "/v1/chat/completions"
    assert [
        (row["start"] - START, row["action"], row["model"], row["answered_by"], row["calls"])
        for row in mine
    ] == [
        (0, chat, "large", "here", 1),
        (0, chat, "small", "here", 2),
        (10 * MINUTE, chat, "small", "here", 1),
    ]
    assert sum(row["tokens_in"] for row in mine) == 12
    everybody = await reader.sums(START, START + 60 * MINUTE, 5 * MINUTE, None)
    assert sum(row["calls"] for row in everybody) == 5
    assert await reader.sums(START + 800_000, START + 60 * MINUTE, MINUTE, None) == []
    await database.dispose()


async def test_many_who_ask_at_once_wait_for_what_begins_after_they_came(world: World) -> None:
    begun = 0

    def up_to_date() -> None:
        nonlocal begun
        begun += 1
        time.sleep(0.05)

    database = open_database(world.url)
    reader = LedgerReader(
        database, up_to_date, threads=some_threads(), heavy=Turns("heavy work", 8)
    )
    first = asyncio.ensure_future(reader.sums(START, START + MINUTE, MINUTE, None))
    await asyncio.sleep(0)  # so that it has begun
    await asyncio.gather(*(reader.sums(START, START + MINUTE, MINUTE, None) for _ in range(20)))
    await first
    assert begun == 2
    await database.dispose()


def test_balances_by_what_is_asked_for(world: World) -> None:
    write(world, call(1), call(2, model="large"), call(3, caller_id="key_ben"))
    world.drain()
    (all_,) = balances(world.database, DAY, DAY)
    assert (all_.day, all_.key, all_.calls, all_.units) == (DAY, None, 3, 21)
    by_key = balances(world.database, DAY, DAY, ["key"])
    assert [(one.key, one.model, one.calls) for one in by_key] == [
        ("key_ann", None, 2),
        ("key_ben", None, 1),
    ]
    assert len(balances(world.database, DAY, DAY, ["model", "key", "action"])) == 3
    assert balances(world.database, DAY + 1, DAY + 9) == []
    assert first_day(world.database) == DAY


def test_an_empty_ledger(world: World) -> None:
    assert first_day(world.database) is None
    assert under_way(world.database) == []
    assert acts(world.database) == []


def test_all_calls_of_an_id_and_what_is_under_way(world: World) -> None:
    write(world, call(1), call(1, model="large"), call(2))
    with world.journal() as journal:
        journal.opened(call(3))
        world.drain()
        assert under_way(world.database) == [call(3)]
    assert [row["model"] for row in calls_of(world.database, "req_1")] == ["small", "large"]
    assert calls_of(world.database, "req_9") == []


def test_the_last_acts_come_first(world: World) -> None:
    with world.journal() as journal:
        for number in range(5):
            journal.act("limit set", f"key_{number}", {})
    world.drain()
    assert [act["subject"] for act in acts(world.database, 2)] == ["key_4", "key_3"]
    assert time.gmtime(acts(world.database)[0]["time"] / 1e6).tm_year == 2027
