"""One connection to a trusted origin: a request goes out, its answer comes in, then the next.

HTTP/1.1 as far as an upstream of ours speaks it, and strict: what is no HTTP, a head or trailers
beyond all measure, an upgrade that nobody asked for, or bytes that belong to no request end the
connection, so that they can never be taken for the answer to another caller.
"""

import asyncio
import math
from collections.abc import Callable
from typing import Protocol, cast

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

_LARGEST_HEAD = 65_536
"""Bytes that may come without any of the body among them: head, chunk heads, trailers."""

_MOST_HEADERS = 256
_INFORMATIONAL, _SWITCHING, _NO_CONTENT, _NOT_MODIFIED = 100, 101, 204, 304
_OK = 200


class Asking(Protocol):
    """What a connection tells of the answer to the request that it carries."""

    heard: bool
    """Whether a byte of the answer has come."""

    since: float
    """When something came last, by the clock of the loop."""

    def begun(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        """Its head has come."""

    def more(self, piece: bytes) -> None:
        """A piece of its body has come."""

    def finished(self) -> None:
        """All of it has come, and the connection is somebody else's."""

    def broken(self, why: Exception | None) -> None:
        """Nothing more will come."""

    def due(self, now: float) -> float:
        """When it will have taken too long; not after `now` if it has."""

    def too_late(self) -> None:
        """It has."""


class Connection(asyncio.Protocol):
    """An open connection. `kept` is told when it has become free, `ended` when it is no more."""

    def __init__(
        self, kept: Callable[["Connection"], None], ended: Callable[["Connection"], None]
    ) -> None:
        self._kept, self._ended = kept, ended
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport
        self._wire: asyncio.Transport
        self._parser: HttpResponseParser | None = HttpResponseParser(self)
        self._asking: Asking | None = None
        self._headers: list[tuple[bytes, bytes]] = []
        self._status = 0
        self._size = 0
        self._bodiless = False
        self._until_close = False
        self._keeps = False
        self._paused = False
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = math.inf
        self.free_since = 0.0

    def send(self, asking: Asking, head: bytes, body: bytes, *, bodiless: bool) -> None:
        """Send a request; only on a connection that is free. `bodiless`: no body can follow."""
        self._asking = asking
        self._status = self._size = 0
        self._headers = []
        self._bodiless = bodiless
        now = asking.since = self._loop.time()
        self._watch(asking.due(now))
        if len(body) <= _LARGEST_HEAD:
            self._transport.write(head + body)
        else:
            self._transport.writelines((head, body))

    @property
    def is_open(self) -> bool:
        """Whether something can be sent on it."""
        if self._parser is None or self._wire.is_closing():
            return False
        return not self._transport.is_closing()

    def end(self) -> None:
        """Hang up, whatever is under way."""
        asking, self._asking = self._asking, None
        if asking is not None:
            asking.broken(None)
        if self._wire is not self._transport or self._unsent():
            self._transport.abort()  # who does not read or say good-bye is not waited for
        else:
            self._transport.close()

    def pause(self) -> None:
        """Read no more until `resume`."""
        if not self._paused and not self._transport.is_closing():
            self._paused = True
            self._transport.pause_reading()

    def resume(self) -> None:
        """Go on."""
        if self._paused:
            self._paused = False
            if not self._transport.is_closing():
                self._transport.resume_reading()

    # What the event loop tells.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It is open."""
        self._transport = self._wire = cast("asyncio.Transport", transport)

    def secured(self, transport: asyncio.Transport) -> None:
        """TLS is on; the transport below knows how much of what it was given has not left."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Something has come."""
        asking, parser = self._asking, self._parser
        if asking is None or parser is None:
            self.end()  # nobody asked
            return
        asking.heard = True
        asking.since = self._loop.time()
        self._size += len(data)
        try:
            parser.feed_data(data)
            if self._size > _LARGEST_HEAD and self._asking is not None:
                raise HttpParserError("too much that is no body")
        except (HttpParserError, HttpParserUpgrade) as error:
            self._break(error)
            return
        if self._asking is None:
            self._let_go()

    def eof_received(self) -> None:
        """The other side sends nothing more: an answer without a length is whole now.

        What it has not read by now is not waited for.
        """
        if self._until_close and self._status:
            self._finish()
        self.end()

    def connection_lost(self, error: Exception | None) -> None:
        """It is no more."""
        asking, self._asking = self._asking, None
        if asking is not None:
            asking.broken(error)
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._parser = None, None  # the parser holds this connection, and it that
        self._ended(self)

    # What the parser tells.

    def on_message_begin(self) -> None:
        """An answer begins: one to a request, or something else."""
        if self._asking is None:
            raise HttpParserError("an answer that nobody asked for")

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header, or a trailer: those are read and dropped."""
        self._headers.append((name, value))
        if len(self._headers) > _MOST_HEADERS:
            raise HttpParserError("too many headers")

    def on_headers_complete(self) -> None:
        """A head is complete."""
        asking, parser = self._asking, self._parser
        assert asking is not None  # noqa: S101 - an answer has begun
        assert parser is not None  # noqa: S101 - it is the one that tells
        status = parser.get_status_code()
        headers, self._headers = self._headers, []
        if status < _OK:  # what comes before an answer (RFC 9110, 15.2) is read and dropped
            if status < _INFORMATIONAL or status == _SWITCHING:
                raise HttpParserError(f"status {status}")
            return
        if self._size > _LARGEST_HEAD and _length(headers) > _LARGEST_HEAD:
            raise HttpParserError("too large a head")
        self._status = status
        self._until_close = _ends_with_connection(status, headers)
        asking.begun(status, headers)
        if self._bodiless:
            self._finish()

    def on_body(self, piece: bytes) -> None:
        """A piece of a body."""
        if not self._status:
            raise HttpParserError("a body before there is an answer")
        self._size = 0
        if self._asking is not None:
            self._asking.more(piece)

    def on_message_complete(self) -> None:
        """An answer is complete."""
        if self._status:
            parser = self._parser
            self._keeps = parser is not None and parser.should_keep_alive()
            self._finish()

    # The rest is for ourselves.

    def _finish(self) -> None:
        asking, self._asking = self._asking, None
        if asking is not None:
            asking.finished()
        self._until_close = False

    def _let_go(self) -> None:
        """The answer is complete: free for the next one, if nothing is left of this one."""
        if self._keeps and not self._bodiless and self.is_open and not self._unsent():
            self.resume()
            self.free_since = self._loop.time()
            self._kept(self)
        else:
            self.end()

    def _unsent(self) -> int:
        # what TLS has taken in is no longer counted by it, though the wire may not have taken it
        return self._wire.get_write_buffer_size() or self._transport.get_write_buffer_size()

    def _break(self, error: Exception) -> None:
        asking, self._asking = self._asking, None
        if asking is not None:
            asking.broken(error)
        self.end()

    def _watch(self, due: float) -> None:
        """Look at `due`. A timer that is set is not moved back: it looks, and sets itself anew."""
        if self._timer is not None:
            if self._timer_at <= due:
                return
            self._timer.cancel()
        self._timer, self._timer_at = self._loop.call_at(due, self._look), due

    def _look(self) -> None:
        self._timer = None
        asking = self._asking
        if asking is None:
            return
        due = asking.due(self._loop.time())
        if due > self._loop.time():
            self._watch(due)
            return
        self._asking = None
        asking.too_late()
        self.end()


def _ends_with_connection(status: int, headers: list[tuple[bytes, bytes]]) -> bool:
    """Whether a body has no other end than that of its connection (RFC 9112, 6.3)."""
    if status in {_NO_CONTENT, _NOT_MODIFIED}:
        return False
    measured = False
    for name, value in headers:
        lowered = name.lower()
        if lowered == b"transfer-encoding":
            measured = value.lower().endswith(b"chunked")
        elif lowered == b"content-length":
            measured = True
    return not measured


def _length(headers: list[tuple[bytes, bytes]]) -> int:
    return sum(len(name) + len(value) for name, value in headers)
