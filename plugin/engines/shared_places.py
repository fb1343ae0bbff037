"""The places of one engine that several workers ask: a mapped file, under one lock.

The file holds one cell for each place (the worker and the key that hold it), one row for each
worker (its name, and the key there that is next), and when each key had its last turn. A worker
that is killed keeps nothing: the others see that it died, and clear its cells.
"""

import fcntl
import mmap
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import Protocol

from plugin.engines.fair_queue import may_take

_MAGIC = 0x326567616C706770
_CELLS, _ROWS, _TURNS = 96, 256, 4096
_ROW = 8
"""Words of a row: four of the name, then key, since when it waits, and when it last looked."""
_KEY, _SINCE, _LOOKED = 4, 5, 6

_CHANGES = 1
"""Word that counts what may give a waiting key its turn."""
_FLAGS = 16
"""Byte where the flags begin: for each row, whether a key waits there."""
_CELL_AT = 2 + _ROWS // 8
_ROW_AT = _CELL_AT + 2 * _CELLS
_TURN_AT = _ROW_AT + _ROW * _ROWS
_SIZE = 8 * (_TURN_AT + _TURNS)
_NAME = 32

_STALE = 250_000_000
"""Nanoseconds after which a worker that did not look again is not waited for."""


class Worker(Protocol):
    """A worker, which can tell whether another one lives."""

    @property
    def id(self) -> str:
        """Its id, at most 32 ASCII characters."""

    def is_alive(self, id_: str) -> bool:
        """Return whether the worker with that id lives."""


@lru_cache(maxsize=4096)
def _number(key: str) -> int:
    return int.from_bytes(blake2b(key.encode(), digest_size=8).digest(), "little")


class SharedPlaces:
    """`total` places with one engine, for all workers that open the same file.

    `share` is that of `may_take`. Raises `OSError` when the file cannot be opened, and
    `OverflowError` when 256 workers have opened it.
    """

    def __init__(self, path: Path, worker: Worker, total: int, share: float) -> None:
        self._total = min(total, _CELLS)
        self._share = share
        self._worker = worker
        self._closed = False
        self._seen = 0
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        with self._locked():
            if os.fstat(self._file).st_size < _SIZE:
                _provide(self._file)
            self._memory = mmap.mmap(self._file, _SIZE)
            self._bytes = memoryview(self._memory)
            self._words = self._bytes.cast("Q")
            if self._words[0] != _MAGIC:
                self._memory[:] = bytes(_SIZE)
                self._words[0] = _MAGIC
            self._repair()
            self._row = self._claim()

    def close(self) -> None:
        """Return what this worker holds, and close the file."""
        with self._locked():
            if self._name_of(self._row) == self._worker.id:
                self._clear(self._row)
        self._closed = True
        self._words.release()
        self._bytes.release()
        self._memory.close()
        os.close(self._file)

    def take(self, waiting: Iterable[tuple[str, int]]) -> str | None:
        """Take a place for the key that holds the fewest; of several, that waits longest."""
        with self._locked():
            self._seen = self._words[_CHANGES]
            now = time.monotonic_ns()
            held, empty = self._held()
            free = self._total - sum(held.values())
            mine, since, key = min(self._ranked(waiting, held, now))
            if may_take(mine, free, self._share):
                ahead = self._ahead((mine, since), held, free, now)
                if ahead < free:
                    self._hold(empty, key, now)
                    return key
            self._tell(_number(key), since, now)
            return None

    def give_back(self, key: str) -> None:
        """Return a place that was taken for `key`."""
        if self._closed:
            return
        with self._locked():
            words, owner, number = self._words, self._row + 1, _number(key)
            for at in range(_CELL_AT, _ROW_AT, 2):
                if words[at] == owner and words[at + 1] == number:
                    words[at] = 0
                    words[_CHANGES] += 1
                    return

    def leave(self) -> None:
        """Record that no key waits in this worker."""
        if self._memory[_FLAGS + self._row]:
            with self._locked():
                self._memory[_FLAGS + self._row] = 0
                self._words[_CHANGES] += 1

    def changed(self) -> bool:
        """Return whether a place may be free by now, and say that this worker still looks."""
        self._words[_ROW_AT + self._row * _ROW + _LOOKED] = time.monotonic_ns()
        return self._words[_CHANGES] != self._seen or self._others_wait()

    def repair(self) -> None:
        """Return the places of workers that died."""
        with self._locked():
            self._repair()
            if self._name_of(self._row) != self._worker.id:  # taken for dead
                self._row = self._claim()

    @contextmanager
    def _locked(self) -> Iterator[None]:
        fcntl.flock(self._file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def _held(self) -> tuple[dict[int, int], int]:
        """How many places each key holds, and an empty cell."""
        held: dict[int, int] = {}
        empty = 0
        cells = self._words[_CELL_AT:_ROW_AT].tolist()
        for at in range(0, 2 * _CELLS, 2):
            if cells[at]:
                held[cells[at + 1]] = held.get(cells[at + 1], 0) + 1
            elif not empty:
                empty = _CELL_AT + at
        return held, empty

    def _ranked(
        self, waiting: Iterable[tuple[str, int]], held: dict[int, int], now: int
    ) -> Iterator[tuple[int, int, str]]:
        for key, since in waiting:
            number = _number(key)
            yield held.get(number, 0), self._waits_since(number, since, now), key

    def _waits_since(self, number: int, since: int, now: int) -> int:
        """Return the later one of `since` and the key's last turn, in any worker."""
        turn = self._words[_TURN_AT + number % _TURNS]
        return max(since, turn) if turn <= now else since  # later: from before a reboot

    def _ahead(self, mine: tuple[int, int], held: dict[int, int], free: int, now: int) -> int:
        """How many of the other workers' keys come before `mine`."""
        count = 0
        at = self._memory.find(b"\1", _FLAGS, _FLAGS + _ROWS)
        while at >= 0:
            row = at - _FLAGS
            begin = _ROW_AT + row * _ROW
            number, since, looked = self._words[begin + _KEY : begin + _ROW - 1].tolist()
            if row != self._row and 0 <= now - looked <= _STALE:
                theirs = held.get(number, 0), self._waits_since(number, since, now)
                count += theirs < mine and may_take(theirs[0], free, self._share)
            at = self._memory.find(b"\1", at + 1, _FLAGS + _ROWS)
        return count

    def _others_wait(self) -> bool:
        own = _FLAGS + self._row
        return (
            self._memory.find(b"\1", _FLAGS, own) >= 0
            or self._memory.find(b"\1", own + 1, _FLAGS + _ROWS) >= 0
        )

    def _hold(self, at: int, key: str, now: int) -> None:
        number = _number(key)
        self._words[at + 1] = number
        self._words[at] = self._row + 1
        self._words[_TURN_AT + number % _TURNS] = now

    def _tell(self, number: int, since: int, now: int) -> None:
        """Let the other workers know which key is next here."""
        begin = _ROW_AT + self._row * _ROW
        self._words[begin + _KEY] = number
        self._words[begin + _SINCE] = since
        self._words[begin + _LOOKED] = now
        self._memory[_FLAGS + self._row] = 1

    def _repair(self) -> None:
        for row in range(_ROWS):
            name = self._name_of(row)
            if name and name != self._worker.id and not self._worker.is_alive(name):
                self._clear(row)

    def _clear(self, row: int) -> None:
        for at in range(_CELL_AT, _ROW_AT, 2):
            if self._words[at] == row + 1:
                self._words[at] = 0
        self._memory[_FLAGS + row] = 0
        self._words[_CHANGES] += 1
        begin = 8 * (_ROW_AT + row * _ROW)
        self._memory[begin : begin + 8 * _ROW] = bytes(8 * _ROW)

    def _claim(self) -> int:
        """Return the row of this worker: the first that no worker has."""
        for row in range(_ROWS):
            if not self._name_of(row):
                begin = 8 * (_ROW_AT + row * _ROW)
                name = self._worker.id.encode()[:_NAME]
                self._memory[begin : begin + len(name)] = name
                return row
        raise OverflowError("too many workers")

    def _name_of(self, row: int) -> str:
        begin = 8 * (_ROW_AT + row * _ROW)
        return self._memory[begin : begin + _NAME].rstrip(b"\0").decode("ascii", "replace")


def _provide(file: int) -> None:
    """Have the disk keep the room: where it is full, touching a hole of the map is death."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file, 0, _SIZE)
    else:
        os.ftruncate(file, _SIZE)
