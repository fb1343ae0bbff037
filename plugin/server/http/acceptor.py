"""Connections accepted one at a time, so that a lack of descriptors is seen, and not passed on.

The event loop's own server closes connections without a word once no descriptor is left.
"""

import asyncio
import errno
import socket
from collections.abc import Callable

from plugin.server.http.protocol import GuardedHttp
from plugin.server.http.timeouts import Watch

_PAUSE = 0.1
"""Seconds without accepting where nothing can be: connections wait in the system meanwhile."""
_LACKS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_GONE = frozenset({errno.EINVAL, errno.EBADF})
"""The listener was shut down, by the worker itself, whose parent is gone."""


class Acceptor:
    """Accepts on `listener` until it is closed; `watch` knows whether there is room.

    Where there is none, a few more are accepted for what operators ask: see `GuardedHttp.last`.
    """

    def __init__(
        self,
        listener: socket.socket,
        protocol: Callable[[], GuardedHttp],
        watch: Watch,
    ) -> None:
        self._listener = listener
        self._protocol = protocol
        self._watch = watch
        self._loop = asyncio.get_running_loop()
        self._opening = set[asyncio.Task[object]]()
        self._closed = False
        listener.setblocking(False)
        self._loop.add_reader(listener, self._accept)

    def close(self) -> None:
        """Accept no more."""
        if not self._closed:
            self._closed = True
            self._loop.remove_reader(self._listener)

    def _accept(self) -> None:
        if self._watch.crowded:
            self._watch.make_room()
            if self._watch.full and not self._watch.has_last_place:
                self._pause()
                return
        last = self._watch.full
        # One in a step of the event loop: the next ones wait in the system, behind the work on
        # those that are there. By 32 a step, callers who come and leave delayed others by 0.5 s.
        try:
            connection, _address = self._listener.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return  # another worker has it, or the caller has left
        except OSError as error:
            self._failed(error)
            return
        connection.setblocking(False)
        opening = self._loop.create_task(self._open(connection, last=last))
        self._opening.add(opening)
        opening.add_done_callback(self._opening.discard)

    def _failed(self, error: OSError) -> None:
        if error.errno in _GONE:
            self.close()
            return
        if error.errno in _LACKS:
            self._watch.make_room(error)
        self._pause()

    async def _open(self, connection: socket.socket, *, last: bool) -> None:
        protocol = self._protocol()
        protocol.last = last
        try:
            await self._loop.connect_accepted_socket(lambda: protocol, connection)
        except OSError:
            connection.close()  # the caller has left

    def _pause(self) -> None:
        self._loop.remove_reader(self._listener)
        self._loop.call_later(_PAUSE, self._go_on)

    def _go_on(self) -> None:
        if not self._closed:
            self._loop.add_reader(self._listener, self._accept)
