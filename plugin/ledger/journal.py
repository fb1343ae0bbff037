"""A worker's journal: what it let through and what came of it, on disk before the answer is.

One write a line, without waiting for the disk: a kill of any process loses nothing, a power cut
what the system had not written yet. Space for the lines of every open call is allocated ahead, so
that a disk that fills up refuses new calls and loses no answered one. Where a line cannot be
written all the same, it waits in memory and goes to the disk as soon as that takes it.
"""

import asyncio
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import orjson

from plugin.ledger.entries import Act, Call, Outcome, line_of
from plugin.ledger.journal_space import STEP, Space
from plugin.storage.locked_files import made_locked

log = logging.getLogger(__name__)

_NEW = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
_COPIED = 1024 * 1024


class Journal:
    """The journal of one worker, `<name>.<part>.log`; for one thread, the one of the event loop.

    The lock on its newest part tells others that the worker lives. A part of `part_size` bytes is
    followed by the next. The journal is `healthy` while fewer than `memory` bytes wait in memory or
    were written to a file that has been removed. `ahead` is the number of bytes to allocate at a
    time. With 0, or on a file system that cannot allocate, nothing is allocated.

    With `later`, which has something done at the end of this step of the event loop, what was let
    through is written then, or with the end of a call that ends in the same step.
    """

    def __init__(  # noqa: PLR0913 - sizes have defaults, and tests have small ones
        self,
        directory: Path,
        clock: Callable[[], float],
        *,
        name: str | None = None,
        part_size: int = 64 * 1024 * 1024,
        memory: int = 4 * 1024 * 1024,
        ahead: int = STEP,
        later: Callable[[Callable[[], None]], object] | None = None,
    ) -> None:
        self.name = name or _name(clock())
        self._directory = directory
        self._clock = clock
        self._part_size = part_size
        self._memory = memory
        self._space = Space(self.name, ahead)
        self._number = 0
        self._part = 1
        self._size = 0
        self._size_when_lost: int | None = None
        self._later = later
        self._due = False
        self._fresh: dict[int, Call] = {}
        self._waiting = bytearray()
        self._failing = False
        self._file: int | None = None
        self.tend()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def healthy(self) -> bool:
        """Whether one more call may be let through: there is space for all that it will write.

        Where nothing can be allocated: what waits still fits the memory. What was written to a file
        that lies at its place no more counts as not written.
        """
        if self._space.is_kept:
            suffices = not self._waiting and self._space.suffices(self._file)
            if self._space.is_kept and not suffices:
                return False
        lost = self._size_when_lost
        return len(self._waiting) + (0 if lost is None else self._size - lost) < self._memory

    @property
    def waiting(self) -> int:
        """Bytes that are not on the disk yet."""
        return len(self._waiting)

    def opened(self, call: Call) -> int:
        """A call was let through; gives the number that it has in this journal."""
        self._number += 1
        self._space.promise(call)
        self._fresh[self._number] = call
        if self._later is None:
            self.flush()
        elif not self._due:
            self._due = True
            self._later(self._step_ended)
        return self._number

    def amended(self, number: int, call: Call) -> None:
        """More is known of a call that is under way, such as its model and what was reserved."""
        if number in self._fresh:
            self._fresh[number] = call
        else:
            self._write(line_of(["o", number, *call]))

    def settled(self, number: int, call: Call, outcome: Outcome) -> None:
        """A call has ended; once for each, before the last byte of its answer."""
        self._space.release(call)
        line = line_of(["s", number, *call, *outcome])
        opened = self._fresh.pop(number, None)
        if opened is not None:  # one line may be damaged: the other still tells of the call
            line = line_of(["o", number, *opened]) + line
        self._write(line)

    def _step_ended(self) -> None:
        self._due = False
        self.flush()

    def flush(self) -> None:
        """Write what was let through in this step: before any byte of an answer that goes on."""
        if self._fresh:
            fresh, self._fresh = self._fresh, {}
            self._write(b"".join([line_of(["o", number, *call]) for number, call in fresh.items()]))

    def act(self, kind: str, subject: str, detail: Mapping[str, Any], by: str = "operator") -> None:
        """Somebody did something to the service: `kind` such as "key created"."""
        self._number += 1
        text = orjson.dumps(detail, default=str).decode()
        act = Act(int(self._clock() * 1_000_000), kind, subject, text, by)
        self._write(line_of(["a", self._number, *act]))

    def tend(self) -> None:
        """Write what waits, and put the file back if somebody took it away; every second or so."""
        if self._file is None or not self._in_place(self._file):
            if self._size_when_lost is None:
                self._size_when_lost = self._size
            self._attempt(self._put_back)
        if self._waiting:
            self._attempt(self._write_waiting)
        if self._size >= self._part_size:
            self._rotate()
        self._space.refill(self._file)

    async def keep(self, every: float = 0.5) -> None:
        """Tend it until cancelled."""
        while True:
            await asyncio.sleep(every)
            self.tend()

    def close(self) -> None:
        """Write what waits and let go: from now on the worker counts as gone."""
        self.flush()
        self.tend()
        if self._waiting:
            log.error("%d bytes of the journal %s are lost", len(self._waiting), self.name)
        if self._file is not None:
            self._space.give_back(self._file)
            os.close(self._file)
            self._file = None

    def _write(self, line: bytes) -> None:
        if self._file is None or self._waiting:
            self._waiting += line
            self._attempt(self._write_waiting)
            return
        try:
            done = os.write(self._file, line)
        except OSError as error:
            self._fail(error)
            done = 0
        self._size += done
        self._space.written(done)
        if done < len(line):  # the rest makes it a whole line later
            self._waiting += line[done:]
        elif self._size >= self._part_size:
            self._rotate()

    def _write_waiting(self) -> None:
        if self._file is None:
            return
        while self._waiting:
            done = os.write(self._file, self._waiting)
            self._size += done
            self._space.written(done)
            del self._waiting[:done]
        if self._failing:
            log.warning("the journal %s is written again", self.name)
            self._failing = False

    def _attempt(self, do: Callable[[], None]) -> None:
        try:
            do()
        except OSError as error:
            self._fail(error)

    def _fail(self, error: OSError) -> None:
        if not self._failing:
            log.error("the journal %s cannot be written, its entries wait: %s", self.name, error)
            self._failing = True

    def _path(self, part: int) -> Path:
        return self._directory / f"{self.name}.{part:06d}.log"

    def _in_place(self, file: int) -> bool:
        try:
            return os.path.samestat(os.fstat(file), self._path(self._part).stat())
        except OSError:
            return False

    def _put_back(self) -> None:
        """The file anew at its place, with all that the lost one held."""
        lost = self._file
        self._size = self._open(self._part, lost)
        self._size_when_lost = None
        if self._space.is_kept:
            self._space.fill(self._file)
        if lost is not None:
            os.close(lost)

    def _rotate(self) -> None:
        """Go on in the next part; the old one is let go after the new one is there."""
        if self._waiting or self._file is None or self._size_when_lost is not None:
            return
        old = self._file
        try:
            self._size = self._open(self._part + 1, allocated=self._space.is_kept)
        except OSError:
            self._size = 0  # go on in this one, and try again when as much has come
            return
        self._part += 1
        os.close(old)

    def _open(self, part: int, of: int | None = None, *, allocated: bool = False) -> int:
        """Make a part that is locked from the moment it can be seen; gives its size.

        If it must be `allocated`, it has space for what was promised.
        """
        with made_locked(self._path(part), _NEW) as file:
            size = 0 if of is None else _copy(of, file)
            ahead = self._space.allocated(file) if allocated else 0
        self._file = file
        self._space.move(ahead)
        return size


def _name(now: float) -> str:
    """Never used before; names sort by when they were made, as they are read."""
    return f"{int(now * 1_000):012x}-{os.getpid()}-{os.urandom(6).hex()}"


def _copy(source: int, target: int) -> int:
    size = 0
    while data := os.pread(source, _COPIED, size):
        size += os.write(target, data)
    return size


def note(
    directory: Path, clock: Callable[[], float], acts: Sequence[tuple[str, str, Mapping[str, Any]]]
) -> None:
    """Write acts (kind, subject, detail) from a command; whoever writes the ledger finds them.

    Raises `OSError` when they cannot be written.
    """
    with Journal(directory, clock, ahead=0) as journal:
        for kind, subject, detail in acts:
            journal.act(kind, subject, detail)
        if journal.waiting:
            raise OSError(f"{directory} cannot be written")
