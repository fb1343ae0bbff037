"""HTTP over a plain socket: the bytes that no client library would send."""

import socket
import time
from dataclasses import dataclass
from types import TracebackType
from typing import Self

PATIENCE = 20.0


@dataclass(frozen=True)
class RawAnswer:
    """One response; header names are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


class Raw:
    """A connection on which a test writes what it likes."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        self._rest = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self._socket.close()

    def send(self, *pieces: bytes) -> None:
        """Send each piece in a packet of its own."""
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for number, piece in enumerate(pieces):
            if number:
                time.sleep(0.01)
            self._socket.sendall(piece)

    def answer(self, *, head: bool = False) -> RawAnswer:
        """The next response; to a HEAD request it has no body."""
        top, _, self._rest = self._until(b"\r\n\r\n").partition(b"\r\n\r\n")
        line, *fields = top.decode("latin-1").split("\r\n")
        headers = {
            name.lower(): value.strip() for name, _, value in (one.partition(":") for one in fields)
        }
        size = 0 if head else int(headers.get("content-length", "0"))
        while len(self._rest) < size:
            self._rest += self._more()
        body, self._rest = self._rest[:size], self._rest[size:]
        return RawAnswer(int(line.split(" ")[1]), headers, body)

    def ended(self) -> bool:
        """Whether the service says nothing more and closes."""
        return self._rest == b"" and self._socket.recv(1) == b""

    def _until(self, mark: bytes) -> bytes:
        while mark not in self._rest:
            self._rest += self._more()
        return self._rest

    def _more(self) -> bytes:
        got = self._socket.recv(65_536)
        assert got, f"the connection ended after {self._rest!r}"
        return got
