"""One request to a trusted origin and its answer, over a connection of a pool."""

import asyncio
import math
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Protocol

from plugin.errors import SourceUnavailable
from plugin.outbound.connection import Connection
from plugin.outbound.sessions import SourceTooSlow
from plugin.outbound.streamed import Pace, Streamed

_MOST_UNREAD = 262_144
"""Bytes that may lie here unread; then no more are taken from the connection."""

_AT_ONCE = 1.0
"""Seconds in which a connection that had been closed already says so."""


class Connections(Protocol):
    """Where an exchange gets its connection; see `Pool`."""

    host: str

    def take(self) -> Connection | None:
        """Return a free connection, if there is one."""

    async def open(self, patience: float) -> Connection:
        """Open a connection within `patience` seconds; raises `SourceUnavailable`."""


class Exchange:
    """Sends the request when it is entered, is the pieces of the answer, hangs up when it is left.

    A connection that was kept can be closed by the other side just when it is used again: a request
    that ends so, at once and before a byte of an answer, is sent once more on a new one. Later than
    that it may have been read, and what was done with it must not be done twice unasked.
    """

    __slots__ = (
        "_body",
        "_connection",
        "_done",
        "_error",
        "_head",
        "_headers",
        "_idle",
        "_loop",
        "_pieces",
        "_pool",
        "_status",
        "_unread",
        "_until",
        "_waiter",
        "heard",
        "since",
    )

    def __init__(self, pool: Connections, head: bytes, body: bytes, pace: Pace) -> None:
        self._pool = pool
        self._head, self._body = head, body
        self._loop = asyncio.get_running_loop()
        self._idle = pace.idle
        self._until = math.inf if pace.total is None else self._loop.time() + pace.total
        self._connection: Connection | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._pieces: list[bytes] = []
        self._unread = 0
        self._status = 0
        self._headers: list[tuple[bytes, bytes]] = []
        self._done = self.heard = False
        self._error: SourceUnavailable | None = None
        self.since = 0.0

    async def __aenter__(self) -> Streamed:
        """Send, and wait for the head of the answer."""
        try:
            kept = self._pool.take()
            if kept is None or not await self._answered(kept):
                self._error = None
                fresh = await self._pool.open(self._until - self._loop.time())
                await self._answered(fresh)
            if self._error is not None and not self._status:
                raise self._error
        except BaseException:
            self._hang_up()
            raise
        return Streamed(self._status, self._headers, self)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Hang up, if there is more to come."""
        self._hang_up()

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        """All that has come; waits until something has."""
        while not self._pieces:
            if self._error is not None:
                raise self._error
            if self._done:
                raise StopAsyncIteration
            await self._wait()
        pieces, self._pieces = self._pieces, []
        if self._unread > _MOST_UNREAD and self._connection is not None:
            self._connection.resume()
        self._unread = 0
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    async def _answered(self, connection: "Connection") -> bool:
        """Whether it is worth no other try: there is a head, or a byte of it was there."""
        self._connection = connection
        connection.send(self, self._head, self._body, bodiless=self._head.startswith(b"HEAD "))
        late = self.since + _AT_ONCE
        while not self._status and self._error is None:
            await self._wait()
        too_slow = isinstance(self._error, SourceTooSlow)
        return self.heard or too_slow or self._loop.time() > late

    async def _wait(self) -> None:
        self.since = self._loop.time()
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _hang_up(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.end()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    # What the connection tells.

    def begun(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        """The head has come."""
        self._status, self._headers = status, headers
        self._wake()

    def more(self, piece: bytes) -> None:
        """A piece of the body has come."""
        self._pieces.append(piece)
        self._unread += len(piece)
        if self._unread > _MOST_UNREAD and self._connection is not None:
            self._connection.pause()
        self._wake()

    def finished(self) -> None:
        """All has come."""
        self._connection = None
        self._done = True
        self._wake()

    def broken(self, why: Exception | None) -> None:
        """Nothing more will come."""
        text = "broke off in the middle of its answer" if self._status else "cannot be reached"
        self._end_with(SourceUnavailable(f"{self._pool.host} {text}. Try again later."), why)

    def due(self, now: float) -> float:
        """When it will have taken too long; nobody's waiting is nobody's fault."""
        return min(self._until, (now if self._waiter is None else self.since) + self._idle)

    def too_late(self) -> None:
        """It has taken too long."""
        silent = "fell silent in the middle of its answer"
        text = silent if self._status else "did not answer in time"
        self._end_with(SourceTooSlow(f"{self._pool.host} {text}. Try again later."), None)

    def _end_with(self, error: SourceUnavailable, why: Exception | None) -> None:
        self._connection = None
        error.__cause__ = why
        self._error = error
        self._wake()
