"""A worker: one process that serves the listening socket of its parent.

Started as `python -m plugin.server.worker CONTROL`, a file descriptor. Through that it is given the
socket and its settings, tells that it is ready or why it cannot be, shows that it lives, and hears
when to end.
"""

import gc
import pickle
import signal
import socket
import struct
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from plugin.settings import Settings

LENGTH = struct.Struct("!I")
"""How many bytes the order to begin has that follows."""


def main() -> None:
    """Serve until told to stop, or until the parent is gone."""
    control = socket.socket(fileno=int(sys.argv[1]))
    # Its parent speaks for it: what a terminal or an operator says to all is not for a worker.
    for unheard in (signal.SIGINT, signal.SIGHUP, signal.SIGUSR2):
        signal.signal(unheard, signal.SIG_IGN)
    # What an import makes stays: passes over it are 15 % of a start. `worker_app.run` ends this.
    gc.disable()
    from plugin.server import worker_app
    from plugin.server.parent import Parent

    parent = Parent(control)
    try:
        listener, settings, wants_key = _order(control)
    except OSError:
        return  # the parent has ended instead
    parent.watch(listener)
    sys.exit(worker_app.run(settings, parent, listener, wants_key=wants_key))


def send_order(
    control: socket.socket, listener: socket.socket, settings: "Settings", *, wants_key: bool
) -> None:
    """Give a worker what it waits for."""
    order = pickle.dumps((settings, wants_key))
    socket.send_fds(control, [LENGTH.pack(len(order))], [listener.fileno()])
    control.sendall(order)


def _order(control: socket.socket) -> "tuple[socket.socket, Settings, bool]":
    head, descriptors, *_ = socket.recv_fds(control, LENGTH.size, 1)
    if not head:
        sys.exit(0)  # the parent has ended instead
    (left,) = LENGTH.unpack(head)
    order = b""
    while len(order) < left:
        order += control.recv(left - len(order)) or sys.exit(0)
    settings, wants_key = pickle.loads(order)  # noqa: S301 - from our own parent
    return socket.socket(fileno=descriptors[0]), settings, wants_key


if __name__ == "__main__":
    main()
