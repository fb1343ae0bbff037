"""A part of the disk that only operators may use: to revoke a key on a disk that callers filled.

The file `reserve` in the data directory occupies the space. If the disk is full, a command of an
operator empties the file. The service fills it again when the disk has free space. A second,
smaller file does the same for callers who delete, so that they never use the space of operators.
"""

import asyncio
import logging
import os
from pathlib import Path

from plugin.storage.allocation import allocate

log = logging.getLogger(__name__)

FILE, FOR_DELETES = "reserve", "reserve-deletes"
_SHARE = 8
"""The part for deletes is so many times smaller than the reserve, and comes on top of it."""
_A_DELETE = 1024 * 1024
"""Bytes that a delete may need: pages of the database, and a step of the journal."""
_NEEDED = 4 * 1024 * 1024
"""Bytes that a command of an operator may need; with less than these free, the file is released."""


class Reserve:
    """The reserve of `size` bytes in `directory`, 0 for none.

    `is_low` and `is_spent` are as of the last `look`.
    """

    def __init__(self, directory: Path, size: int) -> None:
        self._directory = directory
        self._size = size
        self._operators = _Part(directory / FILE, size)
        self._deletes = _Part(directory / FOR_DELETES, size // _SHARE)
        self.is_low = False
        """Whether callers may store no more: what is left belongs to operators."""
        self.is_spent = False
        """Whether half of what was released is used: then no call may write even its own row."""

    def look(self) -> None:
        """See how much is free, and make the file whole where there is room; every second or so.

        Raises `OSError` when the disk cannot be asked.
        """
        if not self._size:
            return
        for part in (self._operators, self._deletes):
            missing = part.missing()
            if missing and _free(self._directory) >= missing + _NEEDED:
                part.fill()
        free = _free(self._directory)
        missing = self._operators.missing() + self._deletes.missing()
        was, self.is_low = self.is_low, free < missing + _margin(self._size)
        self.is_spent = missing > 0 and free < missing // 2
        if self.is_low and not was:
            log.error("the disk of %s is full: callers may not store more", self._directory)
        elif was and not self.is_low:
            log.warning("the disk of %s has room again: callers may store", self._directory)

    def release(self) -> None:
        """Give the space to the command of an operator where it would lack it.

        Raises `OSError` when the disk cannot be asked.
        """
        if self._operators.is_there() and _free(self._directory) < _NEEDED:
            self._operators.release()

    def lets_delete(self) -> bool:
        """Return whether a caller may delete now; the part for deletes is released where it must.

        What an operator has released is not for callers. Raises `OSError` when the disk cannot be
        asked.
        """
        if not self._size:
            return True
        needed = min(_A_DELETE, self._deletes.size // 4)
        if _free(self._directory) - self._operators.missing() < needed:
            self._deletes.release()
        return _free(self._directory) - self._operators.missing() >= needed

    async def watch(self, every: float = 0.5) -> None:
        """Look again and again, until cancelled."""
        while True:
            await asyncio.sleep(every)
            try:
                self.look()
            except OSError:
                log.exception("the disk of %s cannot be asked; it is tried again", self._directory)


class _Part:
    """A file that occupies `size` bytes of the disk."""

    def __init__(self, path: Path, size: int) -> None:
        self._path = path
        self.size = size

    def missing(self) -> int:
        """Return how many bytes the file does not occupy."""
        try:
            return max(0, self.size - self._path.stat().st_blocks * 512)
        except FileNotFoundError:
            return self.size

    def is_there(self) -> bool:
        """Return whether the file exists; before the first start not even its directory does."""
        return self._path.exists()

    def release(self) -> None:
        """Give the space back to the disk."""
        if self.is_there():
            os.truncate(self._path, 0)

    def fill(self) -> None:
        """Occupy the space; where the file system cannot do this, nothing is reserved."""
        file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if not allocate(file, 0, self.size):
                log.info("%s: this file system reserves nothing", self._path)
        except OSError as error:  # another worker was faster; or RLIMIT_FSIZE
            os.truncate(file, 0)
            log.info("%s cannot be made: %s", self._path, error)
        finally:
            os.close(file)


def _margin(size: int) -> int:
    """Bytes that stay free when callers are refused, for what they had begun to write."""
    return min(_NEEDED, size // 16)


def _free(directory: Path) -> int:
    found = os.statvfs(directory)
    return found.f_bavail * found.f_frsize
