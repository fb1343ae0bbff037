"""Whatever an upstream sends, in whatever pieces: one answer, or an error, and then an end."""

import asyncio
from itertools import pairwise
from typing import Any, cast

from hypothesis import example, given
from hypothesis import strategies as st

from plugin.outbound.connection import Connection

ANSWER = (
    b"HTTP/1.1 103 Early\r\nLink: <a>\r\n\r\n"
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX: 1\r\n\r\n"
    b"3;a=b\r\none\r\n5\r\n two \r\n0\r\nX-Late: 1\r\n\r\n"
)
WORDS = st.sampled_from(
    [
        *(b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 204 X\r\n\r\n"),
        *(b"Content-Length: 3\r\n", b"Transfer-Encoding: chunked\r\n", b"Connection: close\r\n"),
        *(b"X: 1\r\n", b"\r\n", b"\n", b"abc", b"3\r\nabc\r\n", b"0\r\n\r\n", b"0\r\n", b":", b" "),
    ]
)


class Wire:
    """A transport that remembers what was done to it."""

    def __init__(self) -> None:
        self.closed = False

    def write(self, data: bytes) -> None:
        assert data

    def close(self) -> None:
        self.closed = True

    abort = close

    def is_closing(self) -> bool:
        return self.closed

    def get_write_buffer_size(self) -> int:
        return 0

    def get_extra_info(self, _: str) -> Any:
        return None


class Asked:
    """Who asked, and what he was told."""

    heard = False
    since = 0.0

    def __init__(self) -> None:
        self.status = 0
        self.body = b""
        self.ends: list[str] = []

    def begun(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        assert not self.status
        assert not self.ends
        assert headers is not None
        self.status = status

    def more(self, piece: bytes) -> None:
        assert self.status
        assert not self.ends
        self.body += piece

    def finished(self) -> None:
        self.ends.append("finished")

    def broken(self, _: Exception | None) -> None:
        self.ends.append("broken")

    def too_late(self) -> None:
        self.ends.append("too late")

    def due(self, now: float) -> float:
        return now + 100


def told(pieces: list[bytes]) -> tuple[Asked, int]:
    """What comes of these bytes on a new connection, and how often it was free afterwards."""
    asked, wire = Asked(), Wire()

    async def play() -> int:
        kept: list[Connection] = []
        connection = Connection(kept.append, lambda _: None)
        connection.connection_made(cast("asyncio.Transport", wire))
        connection.send(asked, b"GET / HTTP/1.1\r\n\r\n", b"", bodiless=False)
        for piece in pieces:
            if not wire.closed:
                connection.data_received(piece)
        if not wire.closed:
            connection.eof_received()
        connection.connection_lost(None)
        assert not connection.is_open
        return len(kept)

    return asked, asyncio.run(play())


@given(st.lists(st.integers(0, len(ANSWER)), max_size=12))
@example(list(range(len(ANSWER))))
@example([])
def test_an_answer_is_the_same_in_all_pieces(cuts: list[int]) -> None:
    places = [0, *sorted(cuts), len(ANSWER)]
    pieces = [ANSWER[a:b] for a, b in pairwise(places) if a < b]
    asked, kept = told(pieces)
    assert (asked.status, asked.body, asked.ends, kept) == (200, b"one two ", ["finished"], 1)


@given(st.lists(WORDS | st.binary(min_size=1, max_size=20), min_size=1, max_size=20), st.booleans())
def test_whatever_comes_has_one_end(words: list[bytes], at_once: bool) -> None:
    asked, kept = told([b"".join(words)] if at_once else words)
    assert len(asked.ends) == 1
    assert asked.status or asked.ends == ["broken"]
    assert kept <= (asked.ends == ["finished"])
