"""A worker's parent: heard from the first moment on, shown that we live, missed when it is gone."""

import contextlib
import faulthandler
import json
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

from plugin.server.drain import Drain

SIGN = 1.0
"""Seconds between signs of life."""

WHERE = signal.SIGUSR1
"""Asks a worker that hangs where it does; the answer comes as lines of text."""

_SIGN = b'{"alive": true}\n'
_ORPHAN = Drain(limit=0.5, linger=0.0)
"""What a worker does whose parent was killed."""
_ORPHAN_GONE = 2.2


class Parent:
    """The other end of `control`."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._obey: Callable[[Drain], object] | None = None
        self._signed = 0.0
        faulthandler.register(WHERE, file=control.fileno(), all_threads=False)

    def watch(self, listener: socket.socket) -> None:
        """Hear its orders from now on; when it is gone, let go of `listener` and end soon.

        That does not wait for the event loop, which may not run yet, or hang.
        """
        watching = threading.Thread(
            target=self._hear, args=(listener,), name="control", daemon=True
        )
        watching.start()

    def obeyed_by(self, obey: Callable[[Drain], object]) -> None:
        """Say who carries out orders, called in a thread; until then a lost parent is the end."""
        self._obey = obey

    def tell(self, **said: Any) -> None:
        """Say something to it; it may be gone."""
        with contextlib.suppress(OSError):
            self._control.sendall(json.dumps(said).encode() + b"\n")

    def sign(self) -> None:
        """Show, no more often than it matters and without waiting, that we live."""
        now = time.monotonic()
        if now - self._signed < SIGN:
            return
        self._signed = now
        with contextlib.suppress(OSError):
            self._control.send(_SIGN, socket.MSG_DONTWAIT)

    def _hear(self, listener: socket.socket) -> None:
        # A parent that is killed before it has read what we said resets the connection.
        with contextlib.suppress(OSError), self._control.makefile("rb") as lines:
            for line in lines:
                if self._obey is not None:
                    self._obey(Drain.read(line))
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)  # for all who have it: the port is free at once
        if self._obey is not None:
            try:
                self._obey(_ORPHAN)
            except RuntimeError:
                return  # the event loop has ended
            time.sleep(_ORPHAN_GONE)
        os._exit(1)
