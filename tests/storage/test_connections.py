"""The pool of connections: callers take turns, however they ask for a connection."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from contextvars import ContextVar
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from plugin.errors import Overloaded
from plugin.pools.turns import Requester, Turns
from plugin.storage.database import open_database


class Request:
    def __init__(self, caller_id: str) -> None:
        self.caller_id = caller_id

    async def left(self) -> None:
        await asyncio.Event().wait()


current: ContextVar[Requester | None] = ContextVar("current", default=None)


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[AsyncEngine]:
    turns = Turns("the database", 4, current.get, seconds=0.02)
    engine = open_database(f"sqlite:///{tmp_path / 'a.db'}", turns)
    yield engine
    await engine.dispose()


async def test_a_caller_has_half_of_the_connections_and_others_do_not_wait(
    database: AsyncEngine,
) -> None:
    async with AsyncExitStack() as stack:
        current.set(Request("ann"))
        await stack.enter_async_context(database.connect())
        session = await stack.enter_async_context(AsyncSession(database))
        await session.execute(text("SELECT 1"))
        with pytest.raises(Overloaded):
            await database.connect().start()
        current.set(Request("bob"))
        async with database.begin() as connection:
            assert (await connection.execute(text("SELECT 1"))).scalar_one() == 1
    current.set(Request("ann"))
    async with database.connect(), database.connect():
        pass


async def test_a_connection_that_fails_gives_its_turn_back(database: AsyncEngine) -> None:
    for _ in range(10):
        with pytest.raises(ZeroDivisionError):
            async with database.connect():
                raise ZeroDivisionError
        async with database.connect() as connection:
            await connection.invalidate()


async def test_a_cancelled_wait_takes_no_turn(database: AsyncEngine) -> None:
    current.set(Request("ann"))
    async with database.connect(), database.connect():
        waiting = asyncio.create_task(database.connect().start())
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
    async with database.connect(), database.connect():
        pass
