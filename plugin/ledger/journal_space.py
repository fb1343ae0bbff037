"""Space that a journal has allocated beyond what is written: enough for all lines of open calls."""

import logging
import os
from contextlib import suppress

from plugin.ledger.entries import Call
from plugin.storage.allocation import allocate

log = logging.getLogger(__name__)

STEP = 1024 * 1024
"""Bytes that are allocated together: one system call for about a thousand calls."""

_LEAST = 64 * 1024
"""Bytes that must be there besides those promised to open calls, before one more is opened."""
_LINES_OF_A_CALL = 3 * 1024
_LINES_OF_A_NAME = 12
"""A call has up to three lines; a character of its caller's names has up to four bytes."""


class Space:
    """The space of the journal `name`, which is allocated in steps of `step` bytes.

    With `step` 0, or where the file system cannot allocate, nothing is promised (`is_kept` is
    False).
    """

    def __init__(self, name: str, step: int) -> None:
        self.is_kept = step > 0
        self._name = name
        self._step = step
        self._left = 0
        self._promised = 0
        self._refused = False

    def promise(self, call: Call) -> None:
        """A call is opened: its lines will need space until it has ended."""
        self._promised += _lines_of(call)

    def release(self, call: Call) -> None:
        """The call has ended, and its last line is about to be written."""
        self._promised -= _lines_of(call)

    def written(self, size: int) -> None:
        """Some of the space is used."""
        self._left -= size

    def suffices(self, file: int | None) -> bool:
        """Whether one more call may be opened; allocates in `file` where it is time to."""
        if self._left < self._promised + _LEAST and not self._refused:
            self.fill(file)
        return self._left >= self._promised + _LEAST

    def fill(self, file: int | None) -> None:
        """Allocate in `file`, the current part. If the disk is full, `refill` tries again."""
        try:
            self._left = 0 if file is None else self.allocated(file)
        except OSError as error:
            self._say_refused(error)
            return
        if self._refused and file is not None:
            log.warning("there is space for the journal %s again", self._name)
        self._refused = file is None

    def _say_refused(self, error: OSError) -> None:
        if not self._refused:
            log.error("new calls are refused, the journal %s lacks space: %s", self._name, error)
        self._refused = True

    def refill(self, file: int | None) -> None:
        """Try again what failed; every second or so, for it costs a system call."""
        if self._refused:
            self.fill(file)

    def allocated(self, file: int) -> int:
        """Allocate what is promised, and a step more; gives how many bytes.

        Raises `OSError` where not even the promised ones have room.
        """
        least = self._promised + 2 * _LEAST
        begin = os.fstat(file).st_size
        try:
            self.is_kept = allocate(file, begin, least + self._step)
        except OSError:
            self.is_kept = allocate(file, begin, least)
            return least
        return least + self._step

    def move(self, allocated: int) -> None:
        """The journal goes on in another file, where so many bytes are allocated."""
        self._left = allocated

    def give_back(self, file: int) -> None:
        """Give back what was allocated and not needed."""
        if self._left > 0:
            with suppress(OSError):
                os.ftruncate(file, os.fstat(file).st_size)


def _lines_of(call: Call) -> int:
    """Bytes that a call may need; the same from its start to its end."""
    return _LINES_OF_A_CALL + _LINES_OF_A_NAME * (len(call.caller_id) + len(call.caller_name))
