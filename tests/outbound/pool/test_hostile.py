"""Upstreams that do not play along."""

import asyncio

import pytest

from plugin.errors import SourceUnavailable
from plugin.outbound.sessions import SourceTooSlow
from tests.outbound.pool.far import (
    CHUNKED,
    OK,
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

BAD = [
    pytest.param(b"\x00\xff\x16\x03garbage\r\n\r\n", id="garbage"),
    pytest.param(b"<html></html>\r\n\r\n", id="no status line"),
    pytest.param(b"HTTP/1.1 099 X\r\n\r\n", id="no status"),
    pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", id="negative"),
    pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nok", id="two"),
    pytest.param(
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\nok", id="both"
    ),
    pytest.param(CHUNKED + b"zz\r\nok\r\n", id="no chunk"),
    pytest.param(CHUNKED + b"2\r\nokk\r\n", id="a longer chunk"),
    pytest.param(b"HTTP/1.1 200 OK\r\nX: a\r\n b\r\nY\r\n\r\n", id="folded"),
    pytest.param(
        b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", id="upgrade"
    ),
    pytest.param(b"HTTP/1.1 200 OK\r\nX: " + b"a" * 100_000 + b"\r\n\r\n", id="a huge header"),
    pytest.param(b"HTTP/1.1 200 OK\r\n" + b"X: 1\r\n" * 300 + b"\r\n", id="many headers"),
    pytest.param(b"HTTP/1.1 100 Continue\r\n\r\n" * 5000, id="100 for ever"),
    pytest.param(b"HTTP/1.1 104 X\r\nContent-Length: 5\r\n\r\nhello" + OK, id="a body too early"),
    pytest.param(CHUNKED + b"1;" + b"x" * 100_000, id="an endless chunk head"),
    pytest.param(CHUNKED + b"0\r\n" + b"X: 1\r\n" * 20_000, id="endless trailers"),
    pytest.param(b"HTTP/1.1 200 OK\r\nContent-Le", id="half a head"),
    pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok", id="half a body"),
    pytest.param(CHUNKED + b"2\r\nok\r\n", id="half of the chunks"),
    pytest.param(CHUNKED + b"5\r\nok", id="half a chunk"),
    pytest.param(b"HTTP/1.1 100 Continue\r\n\r\n", id="nothing after a 100"),
]


@pytest.mark.parametrize("answer", BAD)
@pytest.mark.parametrize("end", [ends, cuts])
async def test_what_is_no_answer_is_an_error_and_not_asked_for_again(
    answer: bytes, end: Play
) -> None:
    async with far([says(answer, then=end)]) as there, client_of(there) as client:
        with pytest.raises(SourceUnavailable) as caught:
            async with asyncio.timeout(5):
                await asked(client, there)
    assert not isinstance(caught.value, SourceTooSlow)
    assert there.connections == 1


@pytest.mark.parametrize("answer", BAD[:16])
async def test_what_is_no_answer_is_not_waited_for(answer: bytes) -> None:
    async with far([says(answer, then=hangs)]) as there, client_of(there) as client:
        with pytest.raises(SourceUnavailable):
            async with asyncio.timeout(5):
                await asked(client, there)


@pytest.mark.parametrize("late", [0, 0.02])
async def test_an_answer_that_nobody_asked_for_is_nobodys(late: float) -> None:
    smuggled = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecret"
    play = says(OK, smuggled, pause=late) if late else says(OK + smuggled)
    async with far([play, OK]) as there, client_of(there) as client:
        assert await asked(client, there) == b"ok"
        await settled()
        assert await asked(client, there) == b"ok"
    assert there.connections == 2


@pytest.mark.parametrize("rest", [b"\r\n", b"x", b"ok"])
async def test_bytes_beyond_an_answer_end_its_connection(rest: bytes) -> None:
    async with far([OK + rest, OK]) as there, client_of(there) as client:
        assert await asked(client, there) == b"ok"
        assert await asked(client, there) == b"ok"
    assert there.connections <= 2
