"""A helper process that works on callers' schemas, one at a time, each within a CPU budget.

It reads and writes frames (four bytes of length, then JSON) on the socket that is its stdin. The
kernel ends it when a task takes longer than its budget: Python could not, while a library written
in Rust holds the interpreter. It ends when the socket closes, so with its worker.
"""

import json
import os
import signal
import socket
import struct
import sys
from typing import Any

from plugin.engines.llama.grammar.preparation import Unfit, carried_out

LENGTH = struct.Struct("!I")
_MEMORY = 1 << 30
_NICE = 5


def serve(connection: socket.socket) -> None:
    """Carry out tasks until the connection closes."""
    while (task := _read(connection)) is not None:
        _spend(task["seconds"])
        answer = _answer(task["task"], task["arguments"])
        _spend(0)
        content = json.dumps(answer).encode()
        connection.sendall(LENGTH.pack(len(content)) + content)


def _answer(task: str, arguments: dict[str, Any]) -> dict[str, Any]:
    try:
        return {"result": carried_out(task, arguments)}
    except Unfit as reason:
        return {"unfit": str(reason)}
    except RecursionError:
        return {"unfit": "its parts are nested too deep"}
    except MemoryError:
        return {"unfit": "it takes too much memory"}


def _spend(seconds: float) -> None:
    """Let this process end after so many seconds of CPU; 0 for no end."""
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_PROF, seconds)


def _bound_memory() -> None:
    try:
        import resource
    except ImportError:  # Windows
        return
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))


def _read(connection: socket.socket) -> Any:
    head = _exactly(connection, LENGTH.size)
    content = head and _exactly(connection, LENGTH.unpack(head)[0])
    return json.loads(content) if content else None


def _exactly(connection: socket.socket, size: int) -> bytes | None:
    content = bytearray()
    while len(content) < size:
        piece = connection.recv(size - len(content))
        if not piece:
            return None
        content += piece
    return bytes(content)


if __name__ == "__main__":
    _bound_memory()
    if hasattr(os, "nice"):
        os.nice(_NICE)  # a caller's schema never delays the callers of others
    with socket.socket(fileno=sys.stdin.fileno()) as worker:
        serve(worker)
