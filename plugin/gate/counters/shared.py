"""Counts that the workers of one machine share: exact, in a few microseconds, without a server.

A window is a ring of 128 time buckets of `period / 127`. What was taken counts until its bucket is
wholly out of the period, so that no stretch of `period` seconds ever sees more than `cap`; the
price is that a full load gets 127/128 of it. Nobody gets more when the wall clock jumps, when a
worker is killed (a running count of the dead is void, what it had reserved of a budget is charged),
or when one is killed in the middle of a change (the sums are made anew from the buckets).
"""

import fcntl
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from plugin.gate.counters.file import WORKERS, CounterFile, key_of
from plugin.gate.counters.protocol import Level, Refusal, Take, Taken
from plugin.gate.counters.records import KINDS, Count, bury, count_of, needed, width_of

_PAUSE = 1.0
"""Seconds until somebody looks again for room in a file that was full."""


class SharedCounters:
    """One worker's way to the counts of its machine; implements `Counters`. Close it at the end.

    `wall` is the wall clock: see `CounterFile`.
    """

    def __init__(self, path: Path, wall: Callable[[], float] = time.time) -> None:
        self._file = CounterFile(path, wall)
        self._alive = _Liveness(path.with_suffix(".workers"))
        self._known: dict[str, Count] = {}
        self._moved = -1
        self._full_until = 0.0
        self._acquire()
        try:
            # whoever had this place before us is dead
            self._file.changing()
            bury(self._file, [self._alive.place])
        finally:
            self._file.release()

    def close(self) -> None:
        """Leave; what this worker still holds is void or charged by the next one who looks."""
        self._alive.close()
        self._file.close()

    def now(self) -> float:
        """Seconds by a clock that never jumps, the same for all workers; it knows no date."""
        self._acquire()
        try:
            return self._file.now()
        finally:
            self._file.release()

    def take(self, takes: Sequence[Take]) -> Taken | Refusal:
        """Take all of `takes`, or none. Raises `OverflowError` when there are too many counts."""
        file, known = self._file, self._known
        self._acquire()
        try:
            now = file.now()
            file.changing()
            found = [known.get(take.name) or self._count(take, now) for take in takes]
            if file.moved != self._moved:  # to make room for a new one
                self._look_again()
                found = [self._count(take, now) for take in takes]
            both = list(zip(found, takes, strict=True))
            lefts = [count.left(cap, now) - cost for count, (_, _, cap, cost, _) in both]
            if lefts and min(lefts) < 0:
                return _refusal(takes, found, lefts, now)
            levels = [
                count.take(take.cost, take.cap, left, now)
                for (count, take), left in zip(both, lefts, strict=True)
            ]
            held = [(count, count.slot) for count in found]
        finally:
            file.release()
        return Taken(takes, levels, held)

    def settle(self, taken: Taken, actual: Sequence[int]) -> None:
        """End a call: see `Counters.settle`."""
        due = [
            (one, take, used)
            for one, take, used in zip(taken.held, taken.takes, actual, strict=True)
            if take.kind != "window" or take.cost != used
        ]
        if not due:
            return
        self._acquire()
        try:
            self._file.changing()
            for (count, slot), take, used in due:
                here = count if count.moved == self._moved else self._moved_to(count, take)
                if here is not None:  # else a window that is empty again
                    here.settle(slot, take.cost, used)
        finally:
            self._file.release()

    def level(self, take: Take) -> Level:
        """Where a count stands, without taking."""
        file = self._file
        self._acquire()
        try:
            now = file.now()
            record = file.find(key_of(take.name))
            if record is None:
                return Level(take.cap)
            file.changing()
            count = count_of(file, record)
            left = max(0, count.left(take.cap, now))
            return count.level(take.cap, left, now)
        finally:
            file.release()

    def charge(self, take: Take, units: int) -> None:
        """Add to what is used of a budget or a window: what the ledger knows, and not the file."""
        file = self._file
        self._acquire()
        try:
            now = file.now()
            file.changing()
            count = self._known.get(take.name) or self._count(take, now)
            count.left(take.cap, now)
            count.charge(units)
        finally:
            file.release()

    def bury_the_dead(self) -> None:
        """Void what killed workers still held; any worker may do it, at any time."""
        if not self._alive.dead():
            return
        self._acquire()
        try:
            # again: a new worker may have got such a place, and lets nobody in before we release
            dead = self._alive.dead()
            self._file.changing()
            bury(self._file, dead)
        finally:
            self._file.release()
        self._alive.forget(dead)

    def _acquire(self) -> None:
        file = self._file
        if file.acquire():
            self._mend()
        if file.moved != self._moved:
            self._look_again()

    def _look_again(self) -> None:
        """Forget where counts were, as they have moved."""
        self._known.clear()
        self._moved = self._file.moved

    def _count(self, take: Take, now: float) -> Count:
        """A count that this worker has not met before, or not since records moved."""
        file, key = self._file, key_of(take.name)
        record = file.find(key)
        if record is None:
            if file.is_crowded() and now >= self._full_until:
                file.keep(needed(file, now))
                if file.is_crowded():  # full: not to look through all of it for every call
                    self._full_until = now + _PAUSE
            record = file.add(key, width_of(take), KINDS[take.kind])
        count = count_of(file, record, self._alive.place)
        if count.moved == self._moved:
            self._known[take.name] = count
        return count

    def _moved_to(self, count: Count, take: Take) -> Count | None:
        known = self._known.get(take.name)
        if known is not None:
            return known
        record = self._file.find(count.key)
        return None if record is None else count_of(self._file, record, self._alive.place)

    def _mend(self) -> None:
        """Make every sum and the index anew: somebody was killed while he changed one."""
        file = self._file
        file.restore_index()
        for record in range(file.used):
            count_of(file, record).mend()


def _refusal(
    takes: Sequence[Take], found: Sequence[Count], lefts: Sequence[int], now: float
) -> Refusal:
    """Why nothing was taken: the first count that is exhausted. `lefts` are after the taking."""
    at = next(at for at, left in enumerate(lefts) if left < 0)
    take, count = takes[at], found[at]
    left = max(0, lefts[at] + take.cost)
    level = count.level(take.cap, left, now)
    if take.kind != "window" or take.cost > take.cap:
        return Refusal(take, level, None)
    return Refusal(take, level, count.wait(take.cost - left, now))  # type: ignore[union-attr]


class _Liveness:
    """A place for each worker, held by a lock that the system takes away when the worker dies."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self.place = next((place for place in range(WORKERS) if self._claim(place)), -1)
        if self.place < 0:
            raise OverflowError(f"more than {WORKERS} workers")
        os.pwrite(self._file, b"\x01", self.place)

    def dead(self) -> list[int]:
        """The places that were held by workers who are gone."""
        marks = os.pread(self._file, WORKERS, 0)
        return [
            place
            for place, mark in enumerate(marks)
            if mark and place != self.place and self._is_free(place)
        ]

    def forget(self, places: Sequence[int]) -> None:
        """They have been buried."""
        for place in places:
            if self._claim(place):
                os.pwrite(self._file, b"\x00", place)
                fcntl.lockf(self._file, fcntl.LOCK_UN, 1, place)

    def close(self) -> None:
        os.close(self._file)

    def _claim(self, place: int) -> bool:
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, place)
        except OSError:
            return False
        return True

    def _is_free(self, place: int) -> bool:
        if not self._claim(place):
            return False
        fcntl.lockf(self._file, fcntl.LOCK_UN, 1, place)
        return True
