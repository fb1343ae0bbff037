"""Connections that were kept, and are no longer good; connections that never come about."""

import asyncio
from typing import Any

import pytest

from plugin.errors import SourceUnavailable
from plugin.outbound import exchange
from plugin.outbound import pool as pools
from plugin.outbound.client import Pace
from plugin.outbound.sessions import SourceTooSlow
from tests.outbound.pool.far import (
    OK,
    Far,
    Play,
    asked,
    client_of,
    cuts,
    ends,
    far,
    hangs,
    says,
    settled,
)


@pytest.mark.parametrize("end", [cuts, ends])
async def test_one_that_closes_as_it_is_used_again_is_replaced(end: Play) -> None:
    async with far([OK, end], [OK]) as there, client_of(there) as client:
        for _ in range(2):
            assert await asked(client, there) == b"ok"
    assert (there.connections, len(there.heads)) == (2, 3)


async def test_one_that_closes_after_a_while_may_have_been_at_work(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(exchange, "_AT_ONCE", 0.05)
    async with far([OK, _works_and_dies], [OK]) as there, client_of(there) as client:
        await asked(client, there)
        with pytest.raises(SourceUnavailable, match="cannot be reached"):
            await asked(client, there)
    assert (there.connections, len(there.heads)) == (1, 2)


async def _works_and_dies(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(0.2)
    writer.transport.abort()


async def test_that_happens_once_a_request() -> None:
    async with far([OK, cuts], [cuts]) as there, client_of(there) as client:
        await asked(client, there)
        with pytest.raises(SourceUnavailable, match="cannot be reached"):
            await asked(client, there)
    assert (there.connections, len(there.heads)) == (2, 3)


@pytest.mark.parametrize("begun", [b"H", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\no"])
async def test_an_answer_that_had_begun_is_not_asked_for_again(begun: bytes) -> None:
    async with far([OK, says(begun, then=cuts)]) as there, client_of(there) as client:
        await asked(client, there)
        with pytest.raises(SourceUnavailable):
            await asked(client, there)
    assert len(there.heads) == 2


async def test_a_new_connection_that_closes_is_not_replaced() -> None:
    async with far([cuts]) as there, client_of(there) as client:
        with pytest.raises(SourceUnavailable, match="cannot be reached"):
            await asked(client, there)
    assert there.connections == 1


async def test_what_was_closed_meanwhile_is_not_taken() -> None:
    async with far([says(OK, then=ends)], [OK]) as there, client_of(there) as client:
        await asked(client, there)
        await settled()
        await asked(client, there)
    assert len(there.heads) == 2


async def test_nobody_keeps_what_nobody_uses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pools, "_LONGEST_FREE", 0.1)
    async with far([OK, OK]) as there, client_of(there) as client:
        await asyncio.gather(*(asked(client, there) for _ in range(3)))
        await asyncio.sleep(0.3)
        assert (there.connections, there.ended) == (3, 3)
        assert await asked(client, there) == b"ok"
    assert there.connections == 4


async def test_closing_ends_what_is_under_way_and_opens_nothing_again() -> None:
    async with far([OK, hangs], [hangs]) as there:
        client = client_of(there)
        await asked(client, there)
        tasks = [asyncio.ensure_future(asked(client, there)) for _ in range(2)]
        await settled()
        await client.close()
        for task in tasks:
            assert isinstance(await _outcome(task), SourceUnavailable)
    assert there.connections == 2


async def _outcome(task: "asyncio.Future[bytes]") -> Any:
    (found,) = await asyncio.gather(task, return_exceptions=True)
    return found


async def test_a_name_with_a_dead_address_is_reached_by_the_other() -> None:
    """`localhost` may have two; the server listens on one of them."""
    async with far([OK]) as there:
        there.url = there.url.replace("127.0.0.1", "localhost")
        async with client_of(there) as client:
            assert await asked(client, there) == b"ok"
    assert there.heads[0].split("\r\n")[1] == f"Host: {there.url.removeprefix('http://')}"


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "http://nobody.invalid", "https://[::1]:9"])
async def test_nobody_there(url: str) -> None:
    there = Far([], url)
    async with client_of(there, connect=2) as client:
        with pytest.raises(SourceUnavailable, match="cannot be reached"):
            await asked(client, there)


async def test_a_connection_that_does_not_come_about_has_its_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def opened(_: pools.Pool) -> Any:
        await asyncio.sleep(30)

    monkeypatch.setattr(pools.Pool, "_opened", opened)
    there = Far([], "http://127.0.0.1:9")
    async with client_of(there, connect=0.1) as client:
        with pytest.raises(SourceUnavailable, match="cannot be reached") as caught:
            await asked(client, there)
        assert not isinstance(caught.value, SourceTooSlow)
    async with client_of(there, connect=5) as client:
        with pytest.raises(SourceTooSlow):
            await asked(client, there, pace=Pace(5, 0.1))
