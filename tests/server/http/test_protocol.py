"""Connections of the service around an application that says what it was given."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import orjson
import pytest
import uvicorn
from uvicorn.server import ServerState

from plugin.api.body_limit import FAULT
from plugin.server.http.protocol import GuardedHttp

Told = dict[str, Any]

HOST = b"Host: a.example\r\n"
UPGRADES = {
    "h2c": b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n",
    "websocket": b"Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n",
    "unknown": b"Upgrade: tea/1.0\r\nConnection: upgrade\r\n",
}
LENGTH = (b"Content-Length: 8\r\n", b"the body")
CHUNKS = (b"Transfer-Encoding: chunked\r\n", b"4\r\nthe \r\n4;a=b\r\nbody\r\n0\r\n\r\n")
NEXT = b"GET /next HTTP/1.1\r\n" + HOST + b"\r\n"


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Answer with what the request was, once its body has been read."""
    if FAULT in scope:
        await _reply(send, {"fault": scope[FAULT].status})
        return
    body, more = b"", True
    while more:
        message = await receive()
        if FAULT in scope:
            await _reply(send, {"fault": scope[FAULT].status})
            return
        body += message.get("body", b"")
        more = message.get("more_body", False)
        await asyncio.sleep(0)
    names = {name.decode(): value.decode() for name, value in scope["headers"]}
    asked = {"method": scope["method"], "path": scope["path"], "body": body.decode()}
    await _reply(send, {**asked, "headers": names})


async def _reply(send: Any, told: Told) -> None:
    body = orjson.dumps(told)
    headers = [(b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@asynccontextmanager
async def connected(
    made: Callable[[GuardedHttp], None] = lambda _: None,
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection to a server of `echo`; `made` is given its other end."""
    config = uvicorn.Config(echo, lifespan="off", ws="none", log_config=None)
    config.load()
    state = ServerState()

    def protocol() -> GuardedHttp:
        connection = GuardedHttp(config, state, {})
        made(connection)
        return connection

    server = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    try:
        yield reader, writer
    finally:
        writer.close()
        server.close()


async def told(pieces: Sequence[bytes], answers: int) -> list[Told]:
    """What the requests in `pieces`, each a packet of its own, were for the application."""
    async with connected() as (reader, writer):
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            if len(pieces) < 50:
                await asyncio.sleep(0.001)
        return [await _answer(reader) for _ in range(answers)]


async def _answer(reader: asyncio.StreamReader) -> Told:
    async with asyncio.timeout(10):
        head = await reader.readuntil(b"\r\n\r\n")
        size = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
        found: Told = orjson.loads(await reader.readexactly(size))
    return found


def split(sent: bytes, size: int) -> list[bytes]:
    return [sent[start : start + size] for start in range(0, len(sent), size)]


@pytest.mark.parametrize("upgrade", UPGRADES)
@pytest.mark.parametrize("framed", [LENGTH, CHUNKS], ids=["length", "chunks"])
@pytest.mark.parametrize("size", [1, 7, 100_000])
async def test_an_upgrade_that_is_not_taken_is_an_ordinary_request(
    upgrade: str, framed: tuple[bytes, bytes], size: int
) -> None:
    field, body = framed
    post = b"POST /a?b=c HTTP/1.1\r\n" + HOST + UPGRADES[upgrade] + field + b"\r\n" + body
    first, second, third = await told(split(post + post + NEXT, size), 3)
    assert first == second
    assert (first["method"], first["path"], first["body"]) == ("POST", "/a", "the body")
    assert "upgrade" not in first["headers"]
    assert first["headers"]["host"] == "a.example"
    assert third["path"] == "/next"


async def test_an_upgrade_without_a_body_is_answered() -> None:
    get = b"GET /a HTTP/1.1\r\n" + HOST + UPGRADES["websocket"] + b"\r\n"
    assert [one["path"] for one in await told([get * 50 + NEXT], 51)] == ["/a"] * 50 + ["/next"]


async def test_what_follows_an_upgrade_is_checked_as_ever() -> None:
    field, body = CHUNKS
    post = b"POST /a HTTP/1.1\r\n" + HOST + UPGRADES["h2c"]
    both = post + field + b"Content-Length: 3\r\n\r\n" + body
    assert await told([both], 1) == [{"fault": 400}]
    assert await told([post + field + b"\r\n" + b"zz\r\n"], 1) == [{"fault": 400}]


@pytest.mark.parametrize("size", [1, 13, 100_000])
async def test_trailers_are_no_headers(size: int) -> None:
    trailers = b"Authorization: Bearer forged\r\nX-Forwarded-For: 10.0.0.1\r\nHost: b\r\n"
    field, body = CHUNKS
    post = b"POST /a HTTP/1.1\r\n" + HOST + field + b"\r\n" + body[:-2] + trailers + b"\r\n"
    first, second = await told(split(post + NEXT, size), 2)
    assert first["headers"] == {"host": "a.example", "transfer-encoding": "chunked"}
    assert first["body"] == "the body"
    assert second["headers"] == {"host": "a.example"}


async def test_a_large_body_in_large_chunks_is_no_framing() -> None:
    piece = b"%x\r\n%b\r\n" % (300_000, b"x" * 300_000)
    small = b"1\r\nx\r\n" * 20_000
    post = b"POST /a HTTP/1.1\r\n" + HOST + CHUNKS[0] + b"\r\n"
    (only,) = await told([post, piece, piece, small, b"0\r\n\r\n"], 1)
    assert len(only["body"]) == 620_000
