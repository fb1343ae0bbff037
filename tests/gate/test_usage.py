import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from plugin.gate.usage import UsageLog, model_calls
from plugin.storage import migrate
from plugin.storage.database import open_database

NOW = 1_800_000_000.0
MINUTE = 60_000


def record(**given: Any) -> dict[str, Any]:
    return {
        "event": "request",
        "request_id": "req_1",
        "path": "/v1/chat/completions",
        "status": 200,
        "ms": 12.7,
        "caller": "me",
        "model": "small",
        "answered_by": "small (here)",
        "tokens_in": 3,
        "tokens_out": 4,
    } | given


@pytest.fixture
def url(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path / 'plugin.db'}"
    migrate.prepare(tmp_path, url)
    return url


Open = Callable[[], UsageLog]


@pytest.fixture
async def open_log(url: str) -> AsyncIterator[Open]:
    databases: list[AsyncEngine] = []

    def make() -> UsageLog:
        databases.append(open_database(url))
        return UsageLog(databases[-1], lambda: NOW, every=0.01)

    yield make
    for database in databases:
        await database.dispose()


async def rows(log: UsageLog) -> list[dict[str, Any]]:
    async with log._database.connect() as connection:
        found = await connection.execute(select(model_calls).order_by(model_calls.c.serial))
    return [dict(row) for row in found.mappings()]


async def test_a_record_becomes_a_row(open_log: Open) -> None:
    log = open_log()
    log.write(record(ended="caller left"))
    await log.flush()
    assert await rows(log) == [
        {
            "serial": 1,
            "time": int(NOW * 1000),
            "request_id": "req_1",
            "caller_id": "me",
            "path": "/v1/chat/completions",
            "model": "small",
            "answered_by": "small (here)",
            "tokens_in": 3,
            "tokens_out": 4,
            "status": 200,
            "milliseconds": 13,
            "ended": "caller left",
        }
    ]


async def test_what_named_no_model_or_no_caller_is_no_call(open_log: Open) -> None:
    log = open_log()
    log.write({name: value for name, value in record().items() if name != "model"})
    log.write(record(caller=None))
    await log.flush()
    assert await rows(log) == []


async def test_a_call_that_nobody_waited_for_counts(open_log: Open) -> None:
    log = open_log()
    given = record(status=None)
    for name in ("answered_by", "tokens_in", "tokens_out"):
        del given[name]
    log.write(given)
    await log.flush()
    (row,) = await rows(log)
    assert (row["status"], row["tokens_in"], row["answered_by"]) == (None, 0, None)


async def test_the_task_writes_in_batches_and_close_writes_the_rest(open_log: Open) -> None:
    log = open_log()
    log.start()
    log.write(record())
    for _ in range(500):
        if await rows(log):
            break
        await asyncio.sleep(0.01)
    log.write(record(request_id="req_2"))
    await log.close()
    assert [row["request_id"] for row in await rows(log)] == ["req_1", "req_2"]


async def test_calls_wait_while_the_database_fails(
    open_log: Open, caplog: pytest.LogCaptureFixture
) -> None:
    log = open_log()
    async with log._database.begin() as connection:
        await connection.exec_driver_sql("ALTER TABLE model_calls RENAME TO away")
    log.write(record())
    await log.flush()
    assert "1 calls wait for the usage log" in caplog.text
    log.write(record(request_id="req_2"))
    async with log._database.begin() as connection:
        await connection.exec_driver_sql("ALTER TABLE away RENAME TO model_calls")
    await log.flush()
    assert [row["request_id"] for row in await rows(log)] == ["req_1", "req_2"]


async def test_sums_are_of_a_caller_a_step_and_a_model(open_log: Open) -> None:
    log, now = open_log(), NOW

    def write(after: float, **given: Any) -> None:
        log._clock = lambda: now + after
        log.write(record(**given))

    write(0)
    write(1, tokens_in=10)
    write(2, caller="other")
    write(3, model="large")
    write(700)
    start = int(NOW * 1000)
    mine = await log.sums(start, start + 60 * MINUTE, 5 * MINUTE, "me")
    assert [
        (row["start"] - start, row["model"], row["calls"], row["tokens_in"]) for row in mine
    ] == [
        (0, "large", 1, 3),
        (0, "small", 2, 13),
        (10 * MINUTE, "small", 1, 3),
    ]
    everybody = await log.sums(start, start + 60 * MINUTE, 5 * MINUTE, None)
    assert sum(row["calls"] for row in everybody) == 5
    assert await log.sums(start + 800_000, start + 60 * MINUTE, 5 * MINUTE, None) == []


async def test_several_workers_write_to_one_log(open_log: Open) -> None:
    logs = [open_log() for _ in range(3)]
    for number in range(300):
        logs[number % 3].write(record(request_id=f"req_{number}"))
    await asyncio.gather(*(log.flush() for log in logs))
    assert len({row["request_id"] for row in await rows(logs[0])}) == 300
