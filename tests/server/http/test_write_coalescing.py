"""Answers leave in one piece; nothing is held longer than a step, and nothing is lost."""

import asyncio
from collections.abc import Iterable
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from plugin.server.http.write_coalescing import JoinedWrites

REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


class Wire:
    """A transport that keeps what each call into the system would have got."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.closed = False

    def write(self, data: bytes) -> None:
        assert not self.closed
        self.sent.append(data)

    def writelines(self, pieces: Iterable[bytes]) -> None:
        self.write(b"".join(pieces))

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return {"sockname": ("127.0.0.1", 80), "peername": ("127.0.0.1", 9)}.get(name, default)

    def resume_reading(self) -> None:
        pass

    def pause_reading(self) -> None:
        pass


async def answered(pieces: list[bytes], *, request: bytes = REQUEST, pause: float = 0) -> Wire:
    """What goes out for an application that sends these pieces, with a pause between them."""

    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        length = str(sum(map(len, pieces))).encode()
        await send(
            {
                "type": "http.response.start",
                "status": 200,
                "headers": [(b"content-length", length)],
            }
        )
        for at, piece in enumerate(pieces):
            if pause:
                await asyncio.sleep(pause)
            more = at + 1 < len(pieces)
            await send({"type": "http.response.body", "body": piece, "more_body": more})

    config = uvicorn.Config(app, http=JoinedWrites, log_level="critical")
    config.load()
    protocol = JoinedWrites(config, ServerState(), {}, asyncio.get_running_loop())
    wire = Wire()
    protocol.connection_made(wire)  # type: ignore[arg-type]
    protocol.data_received(request)
    for _ in range(100):
        await asyncio.sleep(pause)
        if protocol.cycle.response_complete:
            break
    await asyncio.sleep(0)
    protocol.connection_lost(None)
    return wire


async def test_head_and_body_are_one_write() -> None:
    wire = await answered([b"hello"])
    (sent,) = wire.sent
    assert sent.startswith(b"HTTP/1.1 200 OK\r\n")
    assert sent.endswith(b"\r\n\r\nhello")


async def test_what_is_sent_later_does_not_wait_for_it() -> None:
    wire = await answered([b"one", b"two", b"three"], pause=0.001)
    assert wire.sent[1:] == [b"one", b"two", b"three"]
    assert wire.sent[0].endswith(b"content-length: 11\r\n\r\n")


@pytest.mark.parametrize("count", [2, 3, 4, 7])
async def test_pieces_of_one_step_keep_their_order(count: int) -> None:
    pieces = [f"<{number}>".encode() for number in range(count)]
    wire = await answered(pieces)
    assert b"".join(wire.sent).partition(b"\r\n\r\n")[2] == b"".join(pieces)


async def test_nothing_is_lost_where_the_other_end_says_no_more_in_between() -> None:
    config = uvicorn.Config(lambda: None, http=JoinedWrites, log_level="critical")
    config.load()
    protocol = JoinedWrites(config, ServerState(), {}, asyncio.get_running_loop())
    wire = Wire()
    protocol.connection_made(wire)  # type: ignore[arg-type]
    protocol.transport.write(b"the last piece")
    protocol.eof_received()
    wire.close()  # as transports do then, by themselves
    assert wire.sent == [b"the last piece"]
    await asyncio.sleep(0)
    protocol.connection_lost(None)


async def test_a_connection_that_closes_says_all_before() -> None:
    wire = await answered([b"bye"], request=b"GET / HTTP/1.0\r\nHost: x\r\n\r\n")
    assert wire.closed
    assert b"".join(wire.sent).endswith(b"\r\n\r\nbye")
