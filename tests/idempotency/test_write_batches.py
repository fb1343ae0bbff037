import asyncio
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, text

from plugin.idempotency.write_batches import Batches
from plugin.storage.database import FAILURES, open_blocking
from tests.pools.threads import some_threads


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = open_blocking(f"sqlite:///{tmp_path / 'a.db'}", wait=0.05)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE numbers (value INTEGER)"))
    yield engine
    engine.dispose()


def add(number: int) -> Callable[[Connection], int]:
    def work(connection: Connection) -> int:
        connection.execute(text("INSERT INTO numbers VALUES (:n)"), {"n": number})
        return number

    return work


def count(connection: Connection) -> int:
    return int(connection.execute(text("SELECT count(*) FROM numbers")).scalar_one())


async def test_all_is_done_in_its_order_by_one_at_a_time(engine: Engine) -> None:
    batches, threads = Batches(engine, some_threads()), set[int]()
    at_once = 0

    def work(connection: Connection) -> int:
        nonlocal at_once
        at_once += 1
        assert at_once == 1
        threads.add(threading.get_ident())
        connection.execute(text("INSERT INTO numbers VALUES (1)"))
        at_once -= 1
        return count(connection)

    found = await asyncio.gather(*(batches.run("ann", work) for _ in range(500)))
    assert found == list(range(1, 501))
    assert threading.get_ident() not in threads
    await batches.close()


async def test_where_the_database_fails_all_of_a_batch_fails(engine: Engine) -> None:
    batches = Batches(engine, some_threads())
    with engine.connect() as other:
        other.execute(text("INSERT INTO numbers VALUES (0)"))
        begun = asyncio.get_running_loop().time()
        found = await asyncio.gather(
            *(batches.run("ann", add(n)) for n in range(50)),
            return_exceptions=True,
        )
        assert asyncio.get_running_loop().time() - begun < 2
        other.rollback()
    assert len(found) == 50
    assert all(isinstance(one, FAILURES) for one in found)
    assert await batches.run("ann", count) == 0


async def test_what_nobody_waits_for_is_carried_out(engine: Engine) -> None:
    batches = Batches(engine, some_threads())
    given_up = batches.run("ann", add(7))
    given_up.cancel()
    assert await batches.run("ann", count) == 1
    batches.run("ann", add(8))
    await batches.close()
    with engine.connect() as connection:
        assert count(connection) == 2


async def test_callers_take_turns(engine: Engine) -> None:
    batches, order = Batches(engine, some_threads()), list[str]()

    def note(name: str) -> Callable[[Connection], None]:
        return lambda _connection: order.append(name)

    for number in range(500):
        batches.run("ann", note(f"ann {number}"))
    batches.run("bob", note("bob 0"))
    await batches.run("bob", note("bob 1"))
    assert len(order) <= 200
    assert order[:5] == ["ann 0", "bob 0", "ann 1", "bob 1", "ann 2"]
    await batches.close()
    assert [one for one in order if one.startswith("ann")] == [f"ann {n}" for n in range(500)]
