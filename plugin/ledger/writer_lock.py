"""The lock of the one that writes the ledger: a process has it until it lets go or dies."""

import fcntl
import os
from contextlib import suppress
from pathlib import Path


class WriterLock:
    """Who may write: one process at a time, until it lets go or dies."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: int | None = None

    def acquire(self) -> bool:
        """Whether it is ours, now or since before; never waits. Raises nothing."""
        try:
            return self._is_ours() or self._take()
        except OSError:
            return False

    def release(self) -> None:
        """Let go."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _is_ours(self) -> bool:
        if self._file is None:
            return False
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(self._file), self._path.stat()):
                return True
        self.release()  # somebody took the file away, and it binds nobody any more
        return False

    def _take(self) -> bool:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.release()
            return False
        return self._is_ours()
