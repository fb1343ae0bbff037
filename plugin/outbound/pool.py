"""Connections to one trusted origin: kept when they are free, opened when none is."""

import asyncio
import socket
import ssl
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from plugin.errors import SourceUnavailable
from plugin.outbound.connection import Connection
from plugin.outbound.exchange import Exchange
from plugin.outbound.sessions import SourceTooSlow
from plugin.outbound.streamed import Pace

if TYPE_CHECKING:
    from yarl import URL

_LONGEST_FREE = 15.0
"""Seconds for which a connection is kept that nobody uses."""

_NEXT_ADDRESS = 0.25
"""Seconds after which the next address of a name is tried as well (RFC 8305)."""

_BODIES = frozenset({"POST", "PUT", "PATCH"})


class Pool:
    """As many connections as there are requests at once, kept for a while after.

    `connect` is how many seconds opening one may take, its TLS included.
    """

    def __init__(self, origin: "URL", connect: float) -> None:
        self.host = origin.host or ""
        self._name = (origin.raw_host or "").rstrip(".")
        self._port = origin.port or 0
        self._authority = origin.host_port_subcomponent or ""
        self._tls = _tls() if origin.scheme == "https" else None
        self._connect = connect
        self._loop = asyncio.get_running_loop()
        self._free: list[Connection] = []
        self._all: set[Connection] = set()
        self._sweeper: asyncio.TimerHandle | None = None
        self._closed = False
        self._emptied: asyncio.Future[None] | None = None

    def begin_of(self, method: str, target: str) -> bytes:
        """The first lines of a request's head, which are the same for all to one target."""
        return f"{method} {target} HTTP/1.1\r\nHost: {self._authority}\r\n".encode("ascii")

    def exchange(
        self,
        begin: bytes,
        headers: Sequence[tuple[bytes, bytes]],
        body: bytes | None,
        pace: Pace,
    ) -> Exchange:
        """A request that is sent when the exchange is entered; `begin` comes from `begin_of`.

        Raises `SourceUnavailable` for a header that would be more than one.
        """
        lines = [begin, *[b"%s: %s\r\n" % header for header in headers]]
        if body is not None:
            lines.append(b"Content-Length: %d\r\n" % len(body))
        elif begin.partition(b" ")[0].decode() in _BODIES:
            lines.append(b"Content-Length: 0\r\n")
        lines.append(b"\r\n")
        head = b"".join(lines)
        expected = len(lines) + 1
        if head.count(b"\n") != expected or head.count(b"\r") != expected or b"\0" in head:
            raise SourceUnavailable(f"A header for {self.host} holds the end of a line.")
        return Exchange(self, head, body or b"", pace)

    def take(self) -> Connection | None:
        """One that is free, the one used last, if there is any."""
        while self._free:
            found = self._free.pop()
            if found.is_open:
                return found
        return None

    async def open(self, patience: float) -> Connection:
        """A new one; `patience` are the seconds that the request has left.

        Raises `SourceUnavailable` where none comes about.
        """
        if self._closed:
            raise SourceUnavailable(f"{self.host} is no longer asked: the service stops.")
        try:
            async with asyncio.timeout(min(self._connect, patience)):
                return await self._opened()
        # ValueError: a certificate or a name; RuntimeError: from uvloop
        except (OSError, ValueError, RuntimeError) as error:
            if isinstance(error, TimeoutError) and patience < self._connect:
                text = "did not answer in time. Try again later."
                raise SourceTooSlow(f"{self.host} {text}") from error
            raise SourceUnavailable(f"{self.host} cannot be reached. Try again later.") from error

    async def close(self) -> None:
        """End every connection, those in use too."""
        self._closed = True
        self._free.clear()
        if self._sweeper is not None:
            self._sweeper.cancel()
        if self._all:
            self._emptied = self._loop.create_future()
            for connection in list(self._all):
                connection.end()
            await self._emptied

    async def _opened(self) -> Connection:
        from aiohappyeyeballs import start_connection

        found = await self._loop.getaddrinfo(self._name, self._port, type=socket.SOCK_STREAM)
        opened: socket.socket | None = await start_connection(
            found, happy_eyeballs_delay=_NEXT_ADDRESS, loop=self._loop
        )
        assert opened is not None  # noqa: S101 - for the type
        try:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            wire, connection = await self._loop.create_connection(
                lambda: Connection(self._keep, self._forget), sock=opened
            )
            opened = None
        finally:
            if opened is not None:
                with suppress(OSError):
                    opened.close()
        if self._tls is not None and connection.is_open:
            secured = await self._loop.start_tls(
                wire, connection, self._tls, server_hostname=self._name
            )
            if secured is None:  # the wire was lost as soon as TLS was on
                raise ConnectionResetError("closed as soon as it was open")
            connection.secured(secured)
        if self._closed:
            connection.end()
        if not connection.is_open:
            raise ConnectionResetError("closed as soon as it was open")
        self._all.add(connection)
        return connection

    def _keep(self, connection: Connection) -> None:
        self._free.append(connection)
        if self._sweeper is None:
            self._sweeper = self._loop.call_later(_LONGEST_FREE, self._sweep)

    def _forget(self, connection: Connection) -> None:
        self._all.discard(connection)
        if self._emptied is not None and not self._all and not self._emptied.done():
            self._emptied.set_result(None)

    def _sweep(self) -> None:
        """End what was not used for long; look again while something is kept."""
        self._sweeper = None
        before = self._loop.time() - _LONGEST_FREE
        old = [one for one in self._free if one.free_since <= before]
        self._free = [one for one in self._free if one.free_since > before and one.is_open]
        for connection in old:
            if connection.is_open:
                connection.end()
        if self._free:
            again = self._free[0].free_since + _LONGEST_FREE
            self._sweeper = self._loop.call_at(again, self._sweep)


def _tls() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.set_alpn_protocols(("http/1.1",))
    return context
