"""The file that all workers of a machine map: records of counts, found by name, under one lock.

A header, an index (open addressing, eight bytes an entry), then the records one behind the other:
memory grows with the counts in use, not with those that are possible. Whoever changes something
marks the file dirty first; when he is killed in between, the next one mends.
"""

import fcntl
import mmap
import os
import struct
import time
from collections.abc import Callable, Sequence
from hashlib import blake2b
from pathlib import Path

from plugin.storage.boot import boot as _boot
from plugin.storage.boot import uptime as _uptime

SLOTS = 128
"""Time buckets of a window."""

WORKERS = 64
"""Places for workers in a running count or a budget."""

_MAGIC = b"gpt-plugin 1\0\0\0\0"
_ENTRIES = 1 << 20
_MOST = _ENTRIES // 2
_HEAD = 4096
_RECORD = 64 + SLOTS * 4
_FIRST = _HEAD + _ENTRIES * 8
_STEP = 4096
"""By how many records the file grows."""

_LONGEST_OFF = 2 * 86_400.0
"""Seconds that a reboot takes at most: no window is longer than a day, so more changes nothing."""

_USED, _DIRTY, _NEEDED, _SIZE, _MOVED = 16, 24, 32, 80, 88
_BOOT, _BASE, _CLOCK, _LAST, _WALL = 40, 56, 64, 72, 96
_WORD = struct.Struct("<q")
_REAL = struct.Struct("<d")
_TWO = struct.Struct("<dd")
_ENTRY = struct.Struct("<II")
RECORD = struct.Struct("<16sqqdq")
"""Name, newest bucket, total, width of a bucket, kind."""

_word = _WORD.unpack_from
_real = _REAL.unpack_from
_two = _TWO.unpack_from
_put_real = _REAL.pack_into
_lock, _EXCLUSIVE, _UNLOCK = fcntl.lockf, fcntl.LOCK_EX, fcntl.LOCK_UN


def key_of(name: str) -> bytes:
    """What a count is found by."""
    return blake2b(name.encode(), digest_size=16).digest()


class CounterFile:
    """The mapped file. Everything but `locked` and `close` wants the lock to be held.

    `wall` is the wall clock. It only says how long the machine was off.
    """

    def __init__(self, path: Path, wall: Callable[[], float] = time.time) -> None:
        self._wall = wall
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        # Locks of a process are gone when it closes any handle of the file: this one stays open.
        self._lock = os.open(
            path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600
        )
        self._size = 0
        _lock(self._lock, _EXCLUSIVE)
        try:
            if os.fstat(self._file).st_size < _FIRST or os.pread(self._file, 16, 0) != _MAGIC:
                self._begin()
            _provide(self._file, os.fstat(self._file).st_size)
            self._map()
            self._set_clock()
        finally:
            _lock(self._lock, _UNLOCK)

    def close(self) -> None:
        """Give everything back but the counts."""
        self._unmap()
        os.close(self._file)
        os.close(self._lock)

    def acquire(self) -> bool:
        """Take the lock, for a few microseconds; gives whether somebody died while he held it.

        Every `acquire` is followed by a `release`.
        """
        _lock(self._lock, _EXCLUSIVE)
        if self._size != self.places[_SIZE // 8]:
            try:
                self._map()
            except OSError:
                _lock(self._lock, _UNLOCK)  # or everybody would wait for us
                raise
        return self.memory[_DIRTY] != 0

    def changing(self) -> None:
        """Say that a change begins; `release` says that it is complete."""
        self.memory[_DIRTY] = 1

    def release(self) -> None:
        """Give the lock back."""
        self.memory[_DIRTY] = 0
        _lock(self._lock, _UNLOCK)

    def now(self) -> float:
        """Seconds by a clock that never jumps, since some moment: no date can be read from it."""
        memory = self.memory
        base, clock = _two(memory, _BASE)
        moment: float = clock + (_uptime() - base)
        _put_real(memory, _LAST, moment)
        _put_real(memory, _WALL, self._wall())
        return moment

    def find(self, key: bytes) -> int | None:
        """The record of a count, None when there is none yet."""
        mark, place = _ENTRY.unpack_from(key)
        for step in range(_ENTRIES):
            at = _HEAD + ((place + step) % _ENTRIES) * 8
            found, record = _ENTRY.unpack_from(self.memory, at)
            if found == 0:
                return None
            if found == mark | 1 and self._holds(record, key):
                return int(record)
        return None

    def _holds(self, record: int, key: bytes) -> bool:
        start = _FIRST + record * _RECORD
        return self.memory[start : start + 16] == key and record < self.used

    def add(self, key: bytes, width: float, kind: int) -> int:
        """A new record, all of it zero. Raises `OverflowError` when half a million are in use."""
        record = self.used
        if record >= _MOST:
            raise OverflowError("too many counts")
        if self.start(record + 1) > self._size:
            self._grow()
        start = self.start(record)
        self.memory[start : start + _RECORD] = bytes(_RECORD)
        RECORD.pack_into(self.memory, start, key, 0, 0, width, kind)
        self._enter(record, key)
        _WORD.pack_into(self.memory, _USED, record + 1)
        return record

    def is_crowded(self) -> bool:
        """Whether it is time to see which records are needed: there are twice as many as then."""
        return self.used >= min(_MOST, max(_STEP, 2 * self.places[_NEEDED // 8]))

    def keep(self, needed: Sequence[int]) -> None:
        """Keep these records alone, given in ascending order; they move together.

        Whoever remembers where a record was sees by `moved` that it may be elsewhere. That costs
        all of them, so where more than half are needed, and there is room, nothing is done.
        """
        count, used = len(needed), self.used
        if count == used or (count > used // 2 and used < _MOST):
            _WORD.pack_into(self.memory, _NEEDED, used)
            return
        # first: who is killed in between leaves nobody who remembers a place
        _WORD.pack_into(self.memory, _MOVED, self.moved + 1)
        for place, record in enumerate(needed):
            old, new = self.start(record), self.start(place)
            self.memory[new : new + _RECORD] = self.memory[old : old + _RECORD]
        _WORD.pack_into(self.memory, _USED, count)
        _WORD.pack_into(self.memory, _NEEDED, count)
        self.restore_index()

    def restore_index(self) -> None:
        """Write the index anew from the records.

        Of two with one name, left by who was killed while he moved them, the last is the whole one.
        """
        self.memory[_HEAD:_FIRST] = bytes(_FIRST - _HEAD)
        for record in reversed(range(self.used)):
            start = self.start(record)
            self._enter(record, self.memory[start : start + 16])

    def column(self, word: int) -> list[int]:
        """One word of eight bytes of every record, counted from its beginning: many at once."""
        begin, step = _FIRST // 8 + word, _RECORD // 8
        return self.places[begin : begin + self.used * step : step].tolist()

    def reals(self, word: int) -> Sequence[float]:
        """The same where it holds a real number."""
        begin, step = _FIRST // 8 + word, _RECORD // 8
        with self._bytes.cast("d") as words:
            return words[begin : begin + self.used * step : step].tolist()

    @property
    def moved(self) -> int:
        """How often records have moved."""
        return self.places[_MOVED // 8]

    @property
    def used(self) -> int:
        """How many records there are."""
        return self.places[_USED // 8]

    @staticmethod
    def start(record: int) -> int:
        """Where a record lies, in bytes; its buckets begin 64 later."""
        return _FIRST + record * _RECORD

    def _enter(self, record: int, key: bytes) -> None:
        mark, place = _ENTRY.unpack_from(key)
        for step in range(_ENTRIES):
            at = _HEAD + ((place + step) % _ENTRIES) * 8
            if _ENTRY.unpack_from(self.memory, at)[0] == 0:
                _ENTRY.pack_into(self.memory, at, mark | 1, record)
                return

    def _grow(self) -> None:
        size = self._size + _STEP * _RECORD
        _provide(self._file, size)
        os.ftruncate(self._file, size)
        self._map()

    def _begin(self) -> None:
        os.ftruncate(self._file, 0)
        os.ftruncate(self._file, _FIRST + _STEP * _RECORD)
        os.pwrite(self._file, _WORD.pack(_FIRST + _STEP * _RECORD), _SIZE)
        os.pwrite(self._file, _MAGIC, 0)

    def _map(self) -> None:
        """Map all that there is; where that fails, what was mapped stays."""
        size = os.fstat(self._file).st_size
        memory = mmap.mmap(self._file, size)
        if self._size:
            self._unmap()
        self._size, self.memory = size, memory
        self._bytes = memoryview(memory)
        self.buckets = self._bytes.cast("I")
        self.places = self._bytes.cast("q")
        if self.places[_SIZE // 8] != size:  # who was killed while it grew did not write it
            self.places[_SIZE // 8] = size

    def _unmap(self) -> None:
        for view in (self.buckets, self.places, self._bytes):
            view.release()
        self.memory.close()

    def _set_clock(self) -> None:
        """After a reboot the clock goes on by what the wall clock says that the machine was off.

        The wall clock may have been wrong before or be wrong now, so that is never less than 0.
        """
        boot = _boot()
        if self.memory[_BOOT : _BOOT + 16] == boot:
            return
        last, wall = _real(self.memory, _LAST)[0], _real(self.memory, _WALL)[0]
        # an older version did not write `wall`, and its clock was the wall clock of the first start
        off = self._wall() - (wall or last)
        _put_real(self.memory, _CLOCK, last + max(0.0, min(off, _LONGEST_OFF)))
        _put_real(self.memory, _BASE, _uptime())
        self.memory[_BOOT : _BOOT + 16] = boot


def _provide(file: int, size: int) -> None:
    """Have the disk keep the room: where it is full, touching a hole of the map is death."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file, 0, size)
