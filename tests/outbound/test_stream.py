import asyncio
import gzip
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from plugin.errors import SourceUnavailable
from plugin.outbound.client import GuardedClient, Limits, Pace
from plugin.outbound.sessions import SourceTooSlow
from plugin.outbound.urls import AddressRefused

Serve = Callable[..., Awaitable[Any]]


def ok(body: bytes, *headers: str) -> bytes:
    lines = ["HTTP/1.1 200 OK", f"Content-Length: {len(body)}", "Connection: close", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


async def test_an_answer_is_handed_on_as_it_came(serve: Serve) -> None:
    packed = gzip.compress(b'{"a": 1}' * 100)
    server = await serve(ok(packed, "Content-Encoding: gzip", "Set-Cookie: a=1", "Set-Cookie: b=2"))
    async with GuardedClient(allow_loopback=True) as client:
        target = "/v1/a%2Fb%7e?q=%20x&q=+"
        async with client.stream(
            "GET", server.url, target, headers=[(b"X-Own", b"\xe9")]
        ) as answer:
            pieces = [piece async for piece in answer.pieces]
    assert answer.status == 200
    assert b"".join(pieces) == packed, "still compressed"
    assert [value for name, value in answer.headers if name == b"Set-Cookie"] == [b"a=1", b"b=2"]
    head = server.requests[0].split("\r\n")
    assert head[0] == f"GET {target} HTTP/1.1"
    assert {line.partition(":")[0].lower() for line in head[1:] if line} == {"host", "x-own"}


async def test_the_first_piece_does_not_wait_for_the_last(serve: Serve) -> None:
    go_on = asyncio.Event()

    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n")
        await writer.drain()
        await go_on.wait()
        writer.write(b"3\r\ntwo\r\n0\r\n\r\n")
        await writer.drain()

    server = await serve(answer)
    async with (
        GuardedClient(allow_loopback=True) as client,
        client.stream("GET", server.url, "/", headers=()) as streamed,
    ):
        first = await anext(aiter(streamed.pieces))
        go_on.set()
        rest = [piece async for piece in streamed.pieces]
    assert (first, rest) == (b"one", [b"two"])


async def test_a_body_is_sent_piece_by_piece(serve: Serve) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"ab"
        yield b"cd"

    server = await serve(ok(b""))
    headers = [(b"content-length", b"4")]
    async with (
        GuardedClient(allow_loopback=True) as client,
        client.stream("POST", server.url, "/", headers=headers, body=pieces()) as answer,
    ):
        assert [piece async for piece in answer.pieces] == []
    assert "content-length: 4" in server.requests[0].lower()
    assert "transfer-encoding" not in server.requests[0].lower()


@pytest.mark.parametrize("size", [4, 3_000_000])
async def test_a_body_may_be_bytes(serve: Serve, size: int) -> None:
    received = 0

    async def answer(writer: asyncio.StreamWriter) -> None:
        nonlocal received
        while received < size:
            received += len(await server.readers[-1].read(size - received))
        writer.write(ok(b"all"))
        await writer.drain()

    server = await serve(answer)
    async with (
        GuardedClient(trusted=[server.url]) as client,
        client.stream("POST", server.url, "/", headers=(), body=bytes(size)) as streamed,
    ):
        assert [piece async for piece in streamed.pieces] == [b"all"]
    assert received == size
    assert f"content-length: {size}" in server.requests[0].lower()
    assert "content-type" not in server.requests[0].lower()


async def test_a_stream_has_its_own_pace(serve: Serve) -> None:
    async def trickle(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        for _ in range(100):
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.03)

    server = await serve(trickle)
    async with GuardedClient(trusted=[server.url]) as client:
        for pace in (Pace(idle=0.01), Pace(idle=5, total=0.1)):
            with pytest.raises(SourceTooSlow):
                async with client.stream("GET", server.url, "/", headers=(), pace=pace) as streamed:
                    [piece async for piece in streamed.pieces]


async def test_more_streams_than_a_pool_would_hold_run_at_once(serve: Serve) -> None:
    everybody = asyncio.Barrier(120)

    async def answer(writer: asyncio.StreamWriter) -> None:
        await everybody.wait()
        writer.write(ok(b"here"))

    server = await serve(answer)

    async def one() -> bytes:
        async with client.stream("GET", server.url, "/", headers=()) as streamed:
            return b"".join([piece async for piece in streamed.pieces])

    async with GuardedClient(trusted=[server.url]) as client, asyncio.timeout(20):
        assert await asyncio.gather(*(one() for _ in range(120))) == [b"here"] * 120


async def test_trust_in_one_origin_is_not_remembered_for_another(serve: Serve) -> None:
    named, other = await serve(ok(b"1")), await serve(ok(b"2"))
    async with GuardedClient(trusted=[f"{named.url}/v1"]) as client:
        for _ in range(2):
            async with client.stream("GET", named.url, "/x", headers=()) as streamed:
                assert streamed.status == 200
            with pytest.raises(AddressRefused):
                async with client.stream("GET", other.url, "/x", headers=()):
                    pass
    assert other.requests == []


async def test_an_answer_that_breaks_off_says_so(serve: Serve) -> None:
    server = await serve(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this")
    async with (
        GuardedClient(allow_loopback=True) as client,
        client.stream("GET", server.url, "/", headers=()) as answer,
    ):
        with pytest.raises(SourceUnavailable):
            [piece async for piece in answer.pieces]


async def test_an_upstream_that_falls_silent(serve: Serve) -> None:
    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this")
        await writer.drain()
        await asyncio.sleep(5)

    server = await serve(answer)
    async with (
        GuardedClient(allow_loopback=True, limits=Limits(idle=0.1)) as client,
        client.stream("GET", server.url, "/", headers=()) as streamed,
    ):
        with pytest.raises(SourceUnavailable, match="fell silent"):
            [piece async for piece in streamed.pieces]


@pytest.mark.parametrize(
    "origin", ["http://example.com", "https://10.0.0.1", "http://169.254.169.254", "ftp://a.b"]
)
async def test_a_stream_opens_no_other_address_than_a_request(origin: str) -> None:
    async with GuardedClient(allow_loopback=True) as client:
        with pytest.raises(AddressRefused):
            client.check(origin)
        with pytest.raises(AddressRefused):
            async with client.stream("GET", origin, "/", headers=()):
                pass


@pytest.mark.parametrize("target", ["", "x", "//\r\nHost: inside", "/a b", "/é", "@inside/"])
async def test_a_target_is_a_path_and_nothing_else(target: str) -> None:
    async with GuardedClient(allow_loopback=True) as client:
        with pytest.raises(AddressRefused):
            async with client.stream("GET", "http://127.0.0.1:1", target, headers=()):
                pass


async def test_nobody_listens() -> None:
    async with GuardedClient(allow_loopback=True) as client:
        with pytest.raises(SourceUnavailable, match=r"127\.0\.0\.1 cannot be reached"):
            async with client.stream("GET", "http://127.0.0.1:9", "/", headers=()):
                pass
