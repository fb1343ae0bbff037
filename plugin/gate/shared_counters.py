"""Counts that the workers of one machine share: exact, in a few microseconds, without a server.

A window is a ring of 128 time buckets of `period / 127`. What was taken counts until its bucket is
wholly out of the period, so that no stretch of `period` seconds ever sees more than `cap`; the
price is that a full load gets 127/128 of it. Nobody gets more when the wall clock jumps, when a
worker is killed (a running count of the dead is void, what it had reserved of a budget is charged),
or when one is killed in the middle of a change (the sums are made anew from the buckets).
"""

import fcntl
import os
from collections.abc import Sequence
from pathlib import Path

from plugin.gate.counter_file import RECORD, SLOTS, WORKERS, CounterFile, key_of
from plugin.gate.counters import Held, Level, Refusal, Take, Taken

_WINDOW, _RUNNING, _BUDGET = 1, 2, 3
_KINDS = {"window": _WINDOW, "running": _RUNNING, "budget": _BUDGET}
_MOST_REMEMBERED = 200_000


class SharedCounters:
    """One worker's way to the counts of its machine; implements `Counters`. Close it at the end."""

    def __init__(self, path: Path) -> None:
        self._file = CounterFile(path)
        self._alive = _Liveness(path.with_suffix(".workers"))
        self._known: dict[str, tuple[int, bytes]] = {}
        self._acquire()
        try:
            # whoever had this place before us is dead
            self._bury(self._alive.place)
        finally:
            self._file.release()

    def close(self) -> None:
        """Leave; what this worker still holds is void or charged by the next one who looks."""
        self._alive.close()
        self._file.close()

    def now(self) -> float:
        """Seconds since 1970 by a clock that never goes back, the same for all workers."""
        self._acquire()
        try:
            return self._file.now()
        finally:
            self._file.release()

    def take(self, takes: Sequence[Take]) -> Taken | Refusal:
        """Take all of `takes`, or none. Raises `OverflowError` when there are too many counts."""
        file = self._file
        self._acquire()
        try:
            now = file.now()
            file.changing()
            held = [self._held(take, now) for take in takes]
            for one in held:
                left = self._left(one)
                if left < one.take.cost:
                    return self._refuse(one, max(left, 0), now)
            for one in held:
                self._add(one, one.take.cost)
            return Taken(tuple(held), tuple(self._level(one, now) for one in held))
        finally:
            self._file.release()

    def settle(self, taken: Taken, actual: Sequence[int]) -> None:
        """End a call: see `Counters.settle`."""
        due = [
            (one, used)
            for one, used in zip(taken.held, actual, strict=True)
            if one.take.kind != "window" or one.take.cost != used
        ]
        if not due:
            return
        self._acquire()
        try:
            self._file.changing()
            for one, used in due:
                self._settle(one, used)
        finally:
            self._file.release()

    def level(self, take: Take) -> Level:
        """Where a count stands, without taking."""
        file = self._file
        self._acquire()
        try:
            now = file.now()
            if file.find(key_of(take.name)) is None:
                return Level(take.cap)
            file.changing()
            return self._level(self._held(take, now), now)
        finally:
            self._file.release()

    def charge(self, take: Take, units: int) -> None:
        """Add to what is used of a budget or a window: what the ledger knows, and not the file."""
        file = self._file
        self._acquire()
        try:
            now = file.now()
            file.changing()
            one = self._held(take, now)
            if take.kind == "window":
                self._add(one, units)
            else:
                self._put_total(one.record, self._total(one.record) + units)
        finally:
            self._file.release()

    def bury_the_dead(self) -> None:
        """Void what killed workers still held; any worker may do it, at any time."""
        dead = self._alive.dead()
        if not dead:
            return
        self._acquire()
        try:
            self._file.changing()
            for place in dead:
                self._bury(place)
        finally:
            self._file.release()
        self._alive.forget(dead)

    def _acquire(self) -> None:
        if self._file.acquire():
            self._mend()

    def _held(self, take: Take, now: float) -> Held:
        """The record of a count, brought up to `now`."""
        record, key = self._record(take)
        if take.kind != "window":
            return Held(take, record, key, self._alive.place)
        return Held(take, record, key, self._advance(record, now))

    def _record(self, take: Take) -> tuple[int, bytes]:
        known = self._known.get(take.name)
        if known is not None and self._file.holds(*known):
            return known
        if len(self._known) > _MOST_REMEMBERED:
            self._known.clear()
        key = key_of(take.name) if known is None else known[1]
        record = self._file.find(key)
        if record is None:
            if self._file.is_crowded():
                self._tidy()
            width = take.period / (SLOTS - 1)
            record = self._file.add(key, width, _KINDS[take.kind])
        self._known[take.name] = record, key
        return record, key

    def _advance(self, record: int, now: float) -> int:
        """Free the buckets that are out of the period; gives the number of the newest."""
        file = self._file
        start = file.start(record)
        _, newest, total, width, _ = RECORD.unpack_from(file.memory, start)
        number = int(now / width)
        steps = number - newest
        if steps <= 0:
            return int(newest)
        first = (start + 64) // 4
        if steps >= SLOTS:
            file.memory[start + 64 : start + 64 + SLOTS * 4] = bytes(SLOTS * 4)
            total = 0
        else:
            for passed in range(newest + 1, number + 1):
                at = first + passed % SLOTS
                total -= file.buckets[at]
                file.buckets[at] = 0
        at = start // 8
        file.places[at + 2], file.places[at + 3] = number, total
        return number

    def _left(self, held: Held) -> int:
        used = self._total(held.record)
        if held.take.kind == "budget":
            used += self._newest(held.record)  # what is reserved
        return held.take.cap - used

    def _add(self, held: Held, units: int) -> None:
        file, start = self._file, self._file.start(held.record)
        if held.take.kind == "window":
            file.buckets[(start + 64) // 4 + held.slot % SLOTS] += units
            self._put_total(held.record, self._total(held.record) + units)
            return
        file.places[(start + 64) // 8 + held.slot] += units
        if held.take.kind == "running":
            self._put_total(held.record, self._total(held.record) + units)
        else:
            file.places[start // 8 + 2] += units

    def _settle(self, held: Held, used: int) -> None:
        if not self._file.holds(held.record, held.key):
            moved = self._file.find(held.key)
            if moved is None:
                return  # a window that is empty again
            held = Held(held.take, moved, held.key, held.slot)
        if held.take.kind == "window":
            too_much = held.take.cost - used
            if self._advance(held.record, self._file.now()) - held.slot < SLOTS:
                self._add(held, -too_much)
            return
        self._add(held, -held.take.cost)
        if held.take.kind == "budget":
            self._put_total(held.record, self._total(held.record) + used)

    def _level(self, held: Held, now: float) -> Level:
        left = max(0, self._left(held))
        if held.take.kind != "window" or left >= held.take.cap:
            return Level(left)
        width = held.take.period / (SLOTS - 1)
        return Level(left, max(0.0, (held.slot + SLOTS) * width - now))

    def _refuse(self, held: Held, left: int, now: float) -> Refusal:
        level = self._level(held, now)
        if held.take.kind != "window" or held.take.cost > held.take.cap:
            return Refusal(held.take, level, None)
        return Refusal(held.take, level, self._wait(held, held.take.cost - left, now))

    def _wait(self, held: Held, missing: int, now: float) -> float:
        """Seconds until so much is free again, if nobody else takes it."""
        first = (self._file.start(held.record) + 64) // 4
        width = held.take.period / (SLOTS - 1)
        for number in range(held.slot - SLOTS + 1, held.slot + 1):
            missing -= self._file.buckets[first + number % SLOTS]
            if missing <= 0:
                return max(0.0, (number + SLOTS) * width - now)
        return held.take.period

    def _total(self, record: int) -> int:
        return self._file.places[self._file.start(record) // 8 + 3]

    def _newest(self, record: int) -> int:
        return self._file.places[self._file.start(record) // 8 + 2]

    def _put_total(self, record: int, total: int) -> None:
        self._file.places[self._file.start(record) // 8 + 3] = total

    def _bury(self, place: int) -> None:
        file = self._file
        for record in range(file.used):
            start = file.start(record)
            kind = file.places[start // 8 + 5]
            at = (start + 64) // 8 + place
            if kind == _WINDOW or not file.places[at]:
                continue
            left, file.places[at] = file.places[at], 0
            if kind == _RUNNING:
                self._put_total(record, self._total(record) - left)
            else:  # it may have been used: nobody gets it twice
                file.places[start // 8 + 2] -= left
                self._put_total(record, self._total(record) + left)

    def _mend(self) -> None:
        """Make every sum and the index anew: somebody was killed while he changed one."""
        file = self._file
        file.restore_index()
        for record in range(file.used):
            start = file.start(record)
            kind = file.places[start // 8 + 5]
            if kind == _WINDOW:
                first = (start + 64) // 4
                self._put_total(record, sum(file.buckets[first : first + SLOTS]))
                continue
            first = (start + 64) // 8
            inside = sum(file.places[first : first + WORKERS])
            if kind == _RUNNING:
                self._put_total(record, inside)
            else:
                file.places[start // 8 + 2] = inside

    def _tidy(self) -> None:
        now = self._file.now()
        self._file.keep([record for record in range(self._file.used) if self._needed(record, now)])

    def _needed(self, record: int, now: float) -> bool:
        kind = self._file.places[self._file.start(record) // 8 + 5]
        if kind == _WINDOW:
            self._advance(record, now)
        return kind == _BUDGET or self._total(record) != 0


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
