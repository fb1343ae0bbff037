"""A file of JSON lines that several processes may append to at once: whole lines, or none."""

import os
import threading
from pathlib import Path
from typing import Any

from plugin.errors import CannotRun
from plugin.harness.json_text import dumps

_OWNER_ALONE = 0o600


class RowTooLarge(Exception):  # noqa: N818 - it says what is wrong
    """A row over the limit; it was not written."""


class RowFile:
    """Appends rows to `path`; each is one write, and at most `limit` bytes long.

    Opened at once, so that a file which cannot be written is known before anything is recorded.
    Only its owner may read a file that is made here.
    """

    def __init__(self, path: str | os.PathLike[str], limit: int) -> None:
        self.path = Path(path)
        self._limit = limit
        self._lock = threading.Lock()
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_CLOEXEC", 0)
        try:
            self._handle = os.open(self.path, flags, _OWNER_ALONE)
        except OSError as error:
            raise CannotRun(
                f"cannot write {self.path}: {error.strerror}; give a file that can be written"
            ) from None
        self._needs_newline = self._ends_inside_a_line()

    def append(self, row: Any) -> None:
        """Write one row; raises RowTooLarge, and OSError where the disk refuses it."""
        line = dumps(row) + b"\n"
        if len(line) > self._limit:
            raise RowTooLarge(f"it is larger than {self._limit} bytes")
        with self._lock:
            if self._needs_newline:
                line, self._needs_newline = b"\n" + line, False
            # One write in append mode: rows of other processes stand before or after, not inside.
            written = os.write(self._handle, line)
            self._needs_newline = written < len(line)
        if written < len(line):
            raise OSError(f"{self.path} took {written} of {len(line)} bytes; is the disk full?")

    def close(self) -> None:
        """Close the file."""
        os.close(self._handle)

    def _ends_inside_a_line(self) -> bool:
        """Whether something was broken off in the middle of its last row."""
        try:
            if not os.lseek(self._handle, 0, os.SEEK_END):
                return False
            os.lseek(self._handle, -1, os.SEEK_END)
            return os.read(self._handle, 1) != b"\n"
        except OSError:  # a pipe, as /dev/stdout may be
            return False
