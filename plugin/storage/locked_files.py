"""Files that are locked while their process lives: how any other process knows that it does.

The system takes the lock away when the process ends, however it ends.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def made_locked(path: Path, flags: int = os.O_RDWR) -> Iterator[int]:
    """Make a file that is locked from the moment at which others can see it.

    Yields the descriptor, for what the file must hold by then; it stays open. When the context
    fails, no file is left.

    Raises `OSError`.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    hidden = path.with_name(f".{path.name}")
    file = os.open(hidden, flags | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield file
        hidden.rename(path)
    except OSError:
        os.close(file)
        with suppress(OSError):
            hidden.unlink()
        raise


def is_locked(file: int) -> bool:
    """Return whether a process that lives has locked the open file."""
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    fcntl.flock(file, fcntl.LOCK_UN)
    return False
