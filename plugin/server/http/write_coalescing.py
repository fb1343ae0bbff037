"""HTTP connections whose answers go out in one piece, not head and body each by itself."""

import asyncio
from typing import Any

from plugin.server.http.uvicorn_private import HttpToolsProtocol


class JoinedWrites(HttpToolsProtocol):
    """uvicorn's protocol on a transport that holds a write until the next one, or the step's end.

    uvicorn writes the head of an answer, then its body; each is a call into the system and a packet
    of its own, together a tenth of a small request.
    """

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A connection is there."""
        self._joining = _Joining(transport, self.loop)
        super().connection_made(self._joining)  # type: ignore[arg-type]

    def eof_received(self) -> None:
        """The other end has said all: the transport closes by itself, and drops what is held."""
        self._joining.flush()

    def linger(self) -> None:
        """Have the end wait for the other side: what that still sends would undo our answer."""
        self._joining.lingers = True

    @property
    def written(self) -> int:
        """How many bytes were written until now, whether or not the caller has taken them."""
        return self._joining.written

    @property
    def said_all(self) -> bool:
        """Whether only the other side is waited for."""
        return self._joining.said_all

    def stop_lingering(self) -> None:
        """Have the next `close` end the connection."""
        self._joining.lingers = False


class _Joining:
    """A transport that joins two writes of one step of the event loop; all else it passes on."""

    __slots__ = ("_due", "_held", "_loop", "_transport", "lingers", "said_all", "written")

    def __init__(self, transport: Any, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._held: bytes | None = None
        self._due = False
        self.said_all = False
        self.written = 0
        self.lingers = False
        """Whether the first `close` only ends our side; the second ends the connection."""

    def write(self, data: bytes) -> None:
        """Hold it; with what was held before, write it now."""
        held, self._held = self._held, None
        if held is not None:
            self.written += len(held) + len(data)
            self._transport.writelines((held, data))
            return
        self._held = data
        if not self._due:
            self._due = True
            self._loop.call_soon(self._step_ended)

    def close(self) -> None:
        """Write what is held, then close."""
        self.flush()
        if self.lingers and not self.is_closing():
            self.said_all = True
            self._transport.write_eof()
        else:
            self._transport.close()

    def is_closing(self) -> bool:
        """Whether nothing more can be written."""
        return self.said_all or self._transport.is_closing()

    def _step_ended(self) -> None:
        self._due = False
        self.flush()

    def flush(self) -> None:
        """Write what is held."""
        held, self._held = self._held, None
        if held is not None:
            self.written += len(held)
            self._transport.write(held)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
