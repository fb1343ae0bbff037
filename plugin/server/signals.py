"""Signals as something to wait for beside sockets."""

import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager

STOPS = frozenset({signal.SIGINT, signal.SIGTERM})
RELOAD, RESTART = signal.SIGHUP, signal.SIGUSR2


class Signals:
    """What has come since `taken` was called last; `wake` can be read when there is something."""

    def __init__(self) -> None:
        self.wake, self._write = socket.socketpair()
        for end in (self.wake, self._write):
            end.setblocking(False)

    @contextmanager
    def caught(self) -> Iterator[None]:
        """Catch them, from here on."""
        before = {one: signal.signal(one, _noted) for one in (*STOPS, RELOAD, RESTART)}
        woken = signal.set_wakeup_fd(self._write.fileno(), warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(woken)
            for one, handler in before.items():
                signal.signal(one, handler)

    def close(self) -> None:
        """Give back what it holds."""
        self.wake.close()
        self._write.close()

    def taken(self) -> list[int]:
        """Their numbers, in the order in which they came."""
        try:
            return list(self.wake.recv(4096))
        except BlockingIOError:
            return []


def has_terminal() -> bool:
    """Whether there is a terminal whose end would end us: it sends SIGHUP too."""
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY))
    except OSError:
        return False
    return True


def _noted(_signal: int, _frame: object) -> None:
    """Nothing here: the number is read from the socket."""
