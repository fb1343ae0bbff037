"""What is an answer, and the connection that is kept after it."""

import asyncio

import pytest

from plugin.errors import SourceUnavailable
from tests.outbound.pool.far import CHUNKED, OK, asked, client_of, ends, far, says

GOOD = [
    pytest.param(OK, id="with a length"),
    pytest.param(CHUNKED + b"1\r\no\r\n1\r\nk\r\n0\r\n\r\n", id="chunked"),
    pytest.param(CHUNKED + b"2;a=b\r\nok\r\n0\r\nX-A: 1\r\nX-B: 2\r\n\r\n", id="trailers"),
    pytest.param(b"HTTP/1.1 100 Continue\r\n\r\n" + OK, id="after a 100"),
    pytest.param(
        b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 3 + OK, id="after early hints"
    ),
]


@pytest.mark.parametrize("answer", GOOD)
@pytest.mark.parametrize("split", [False, True])
async def test_a_connection_is_used_again(answer: bytes, split: bool) -> None:
    play = says(*(bytes([byte]) for byte in answer), pause=0) if split else answer
    async with far([play] * 4) as there, client_of(there) as client:
        for _ in range(4):
            assert await asked(client, there) == b"ok"
    assert (there.connections, len(there.heads)) == (1, 4)


async def test_headers_of_what_came_before_and_trailers_are_no_headers() -> None:
    answer = b"HTTP/1.1 103 Early\r\nX-Early: 1\r\n\r\n" + CHUNKED + b"0\r\nX-Late: 1\r\n\r\n"
    async with (
        far([answer]) as there,
        client_of(there) as client,
        client.stream("GET", there.url, "/", headers=()) as streamed,
    ):
        assert [piece async for piece in streamed.pieces] == []
        assert streamed.headers == [(b"Transfer-Encoding", b"chunked")]


@pytest.mark.parametrize(
    ("head", "body"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", b"to the end"),
        (b"HTTP/1.0 200 OK\r\n\r\n", b"to the end"),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", b""),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", b"to the end"),
    ],
)
async def test_a_body_may_end_with_its_connection(head: bytes, body: bytes) -> None:
    async with far([says(head, body, then=ends)]) as there, client_of(there) as client:
        assert await asked(client, there) == body
        assert await asked(client, there) == body
    assert there.connections == 2


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified"])
async def test_some_answers_have_no_body(status: bytes) -> None:
    answer = b"HTTP/1.1 " + status + b"\r\nX: 1\r\n\r\n"
    async with far([answer, OK]) as there, client_of(there) as client:
        assert await asked(client, there, method="GET", body=None) == b""
        assert await asked(client, there) == b"ok"
    assert there.connections == 1


async def test_a_head_request_has_none_whatever_is_announced() -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"
    async with far([answer]) as there, client_of(there) as client, asyncio.timeout(5):
        assert await asked(client, there, method="HEAD", body=None) == b""
        assert await asked(client, there, method="HEAD", body=None) == b""
    assert there.connections == 2, "what might follow is for nobody"


@pytest.mark.parametrize(
    "last", [b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok", b""]
)
async def test_a_connection_that_the_upstream_gives_up_is_not_kept(last: bytes) -> None:
    answer = last or OK.replace(b"HTTP/1.1", b"HTTP/1.0")
    async with far([says(answer, pause=0.2)]) as there, client_of(there) as client:
        for _ in range(2):
            assert await asked(client, there) == b"ok"
    assert there.connections == 2


async def test_the_head_says_what_it_has_to() -> None:
    async with far([OK, OK]) as there, client_of(there) as client:
        await asked(client, there, headers=[(b"X-Own", b"\xc3\xa9")], body=b"abc")
        await asked(client, there, body=None)
    host = there.url.removeprefix("http://")
    first = ["POST /v1/x HTTP/1.1", f"Host: {host}", "X-Own: é", "Content-Length: 3", "", ""]
    second = ["POST /v1/x HTTP/1.1", f"Host: {host}", "Content-Length: 0", "", ""]
    assert [head.split("\r\n") for head in there.heads] == [first, second]


@pytest.mark.parametrize("value", [b"a\r\nX-B: 1", b"a\nX-B: 1", b"a\rb", b"a\0"])
async def test_one_header_is_one_header(value: bytes) -> None:
    async with far([OK]) as there, client_of(there) as client:
        with pytest.raises(SourceUnavailable, match="header"):
            await asked(client, there, headers=[(b"X-A", value)])
    assert there.heads == []


async def test_a_request_that_writes_such_headers_itself_has_them_once() -> None:
    own = [(b"Connection", b"close"), (b"Content-Length", b"2")]
    async with far([OK]) as there, client_of(there) as client:
        assert await asked(client, there, headers=own) == b"ok"
    lines = there.heads[0].lower().split("\r\n")
    assert lines.count("connection: close") == lines.count("content-length: 2") == 1


async def test_a_thousand_calls_over_a_few_connections() -> None:
    async with far([OK] * 1000) as there, client_of(there) as client:

        async def some() -> None:
            for _ in range(100):
                assert await asked(client, there) == b"ok"

        await asyncio.gather(*(some() for _ in range(10)))
        assert there.connections == 10
