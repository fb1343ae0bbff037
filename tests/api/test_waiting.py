"""Waiting for one's turn: what is given to nobody is given back."""

import asyncio

import pytest
from starlette.types import Message

from plugin.api.waiting import while_waiting


async def _silence() -> Message:
    return await asyncio.get_running_loop().create_future()  # type: ignore[no-any-return]


@pytest.mark.parametrize("steps", range(4))
async def test_who_is_cancelled_in_the_moment_of_his_turn_holds_nothing(steps: int) -> None:
    opened, let_in, given, back = asyncio.Event(), list[str](), list[str](), list[str]()

    async def turn() -> str:
        await opened.wait()
        let_in.append("one")
        return "one"

    async def waiting() -> None:
        found, _ = await while_waiting(turn(), _silence, back.append)
        given.append(found)

    task = asyncio.create_task(waiting())
    await asyncio.sleep(0.01)
    opened.set()
    for _ in range(steps):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert given + back == let_in
