"""A part of the disk that only operators may use: to revoke a key on a disk that callers filled.

The file `reserve` in the data directory occupies the space. If the disk is full, a command of an
operator empties the file. The service fills it again when the disk has free space.
"""

import asyncio
import logging
import os
from pathlib import Path

from plugin.storage.allocation import allocate

log = logging.getLogger(__name__)

FILE = "reserve"
_NEEDED = 4 * 1024 * 1024
"""Bytes that a command of an operator may need; with less than these free, the file is released."""


class Reserve:
    """The reserve of `size` bytes in `directory`, 0 for none.

    `is_low` and `is_spent` are as of the last `look`.
    """

    def __init__(self, directory: Path, size: int) -> None:
        self._directory = directory
        self._path = directory / FILE
        self._size = size
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
        free = _free(self._directory)
        missing = self._size - self._held()
        if missing > 0 and free >= missing + _NEEDED:
            self._fill()
            free, missing = _free(self._directory), self._size - self._held()
        was, self.is_low = self.is_low, free < max(0, missing) + _margin(self._size)
        self.is_spent = missing > 0 and free < self._size // 2
        if self.is_low and not was:
            log.error("the disk of %s is full: callers may not store more", self._directory)
        elif was and not self.is_low:
            log.warning("the disk of %s has room again: callers may store", self._directory)

    def release(self) -> None:
        """Give the space to the command of an operator where it would lack it.

        Raises `OSError` when the disk cannot be asked.
        """
        if self._path.exists() and _free(self._directory) < _NEEDED:
            os.truncate(self._path, 0)

    async def watch(self, every: float = 0.5) -> None:
        """Look again and again, until cancelled."""
        while True:
            await asyncio.sleep(every)
            try:
                self.look()
            except OSError:
                log.exception("the disk of %s cannot be asked; it is tried again", self._directory)

    def _held(self) -> int:
        try:
            return self._path.stat().st_blocks * 512
        except FileNotFoundError:
            return 0

    def _fill(self) -> None:
        file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if not allocate(file, 0, self._size):
                log.info("%s: this file system reserves nothing", self._path)
        except OSError as error:  # somebody was faster; or RLIMIT_FSIZE
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
