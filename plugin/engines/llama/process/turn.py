"""One engine for the services that share a data directory: whoever comes second waits."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_LOOK_AGAIN = 0.5


@contextmanager
def turn(file: Path, stopping: threading.Event) -> Iterator[bool]:
    """Wait for the lock beside `file`; whether it is ours: False once `stopping` is set.

    The lock ends with its process, however that ends.
    """
    try:
        import fcntl
    except ImportError:
        # Windows: two services there would be told of each other's engine, no more.
        yield True
        return
    with file.with_name(f"{file.name}.lock").open("w") as lock:
        while not stopping.is_set():
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                stopping.wait(_LOOK_AGAIN)
            else:
                yield True
                return
        yield False
