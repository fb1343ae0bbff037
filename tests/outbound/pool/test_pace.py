"""How long an answer may take, how much of it is taken in, and who hangs up."""

import asyncio

import pytest

from plugin.errors import SourceUnavailable
from plugin.outbound.client import Pace
from plugin.outbound.connection import Connection
from plugin.outbound.sessions import SourceTooSlow
from tests.outbound.pool.far import CHUNKED, OK, asked, client_of, far, hangs, says, settled


async def test_a_silent_one_is_too_slow_and_hung_up_on() -> None:
    async with far([hangs]) as there, client_of(there, idle=0.1) as client:
        with pytest.raises(SourceTooSlow, match="did not answer in time"):
            await asked(client, there)
        reused = Pace(idle=5, total=0.1)
        with pytest.raises(SourceTooSlow, match="did not answer in time"):
            await asked(client, there, pace=reused)
    assert len(there.heads) == 2


async def test_a_kept_one_that_falls_silent_is_not_replaced() -> None:
    async with far([OK, hangs]) as there, client_of(there, idle=0.1) as client:
        await asked(client, there)
        with pytest.raises(SourceTooSlow):
            await asked(client, there)
    assert len(there.heads) == 2


async def test_the_time_of_one_request_is_not_that_of_the_next() -> None:
    slow = says(OK[:5], OK[5:], pause=0.15)
    async with far([OK, slow, slow, slow]) as there, client_of(there, idle=0.3) as client:
        for _ in range(4):
            assert await asked(client, there, pace=Pace(0.25, 0.8)) == b"ok"
    assert there.connections == 1


async def test_a_trickle_is_no_silence_but_has_an_end() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"
    async with far([says(head, *[b"x"] * 100, pause=0.02)]) as there, client_of(there) as client:
        with pytest.raises(SourceTooSlow, match="fell silent"):
            await asked(client, there, pace=Pace(idle=0.1, total=0.3))
        head_alone = says(*(bytes([byte]) for byte in head), pause=0.02)
        there.plays[:] = [[head_alone]]
        with pytest.raises(SourceTooSlow, match="did not answer"):
            await asked(client, there, pace=Pace(idle=0.1, total=0.3))


async def test_who_reads_slowly_does_not_make_the_upstream_slow() -> None:
    async with (
        far([says(CHUNKED, b"1\r\no\r\n1\r\nk\r\n0\r\n\r\n")]) as there,
        client_of(there, idle=0.1) as client,
        client.stream("GET", there.url, "/", headers=()) as answer,
    ):
        await asyncio.sleep(0.4)
        assert b"".join([piece async for piece in answer.pieces]) == b"ok"


async def test_what_nobody_reads_is_not_taken_in() -> None:
    sent = 0

    async def floods(__: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 50000000\r\n\r\n")
        for _ in range(500):
            writer.write(bytes(100_000))
            await writer.drain()
            sent += 100_000

    async with (
        far([floods]) as there,
        client_of(there) as client,
        client.stream("GET", there.url, "/", headers=()) as answer,
    ):
        await asyncio.sleep(0.3)
        assert sent < 20_000_000, "kernel buffers and ours hold this much at most"
        assert sum([len(piece) async for piece in answer.pieces]) == 50_000_000


async def test_an_answer_before_all_was_sent_is_one() -> None:
    refusal = b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno"

    async with far([says(refusal, then=hangs)]) as there, client_of(there) as client:
        there.reads_bodies = False
        for _ in range(2):
            sent = client.stream("POST", there.url, "/", headers=(), body=bytes(30_000_000))
            async with sent as answer:
                assert answer.status == 413
                assert b"".join([piece async for piece in answer.pieces]) == b"no"


@pytest.mark.parametrize("length", [b"Content-Length: 9\r\n", b""])
async def test_who_says_all_and_reads_no_more_is_not_waited_for(
    length: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost: list[Connection] = []
    heard = Connection.connection_lost

    def connection_lost(one: Connection, error: Exception | None) -> None:
        lost.append(one)
        heard(one, error)

    async def halves(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 413 Too Large\r\n" + length + b"\r\nno")
        writer.write_eof()
        await asyncio.sleep(30)

    monkeypatch.setattr(Connection, "connection_lost", connection_lost)
    async with far([halves]) as there, client_of(there) as client:
        there.reads_bodies = False
        sent = asyncio.ensure_future(asked(client, there, body=bytes(30_000_000)))
        await asyncio.wait({sent}, timeout=5)
        if length:
            with pytest.raises(SourceUnavailable, match="broke off"):
                sent.result()
        else:
            assert sent.result() == b"no"
        await settled()
        assert len(lost) == 1


@pytest.mark.parametrize("after", ["before the head", "in the body"])
async def test_who_leaves_hangs_up(after: str) -> None:
    play = hangs if after == "before the head" else says(CHUNKED, b"2\r\nok\r\n", then=hangs)
    begun, gone = asyncio.Event(), asyncio.Event()

    async def watched(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        begun.set()
        running = asyncio.ensure_future(play(reader, writer))
        assert await reader.read() == b""
        gone.set()
        running.cancel()

    async with far([watched]) as there, client_of(there) as client:
        task = asyncio.ensure_future(asked(client, there))
        async with asyncio.timeout(10):
            await begun.wait()
        await asyncio.sleep(0.1)
        task.cancel()
        await asyncio.wait({task})
        assert task.cancelled()
        async with asyncio.timeout(10):
            await gone.wait()
