"""One count in the shared file, by its kind: what is left of it, and what taking and ending do.

A record begins with its name, its newest bucket (or what is reserved), its total and the width of a
bucket; 64 bytes on are the buckets of a window, or what each worker holds. Everything here wants
the lock of the file, and `CounterFile.changing` before anything is written.
"""

from collections.abc import Iterable

from plugin.gate.counters.file import RECORD, SLOTS, WORKERS, CounterFile
from plugin.gate.counters.protocol import MOST, Kind, Level, Take, level_of

_BODY = 64
_NEWEST, _TOTAL, _WIDTH, _KIND = 2, 3, 4, 5  # words of eight bytes
_WINDOW, _RUNNING, _BUDGET = 1, 2, 3
KINDS: dict[Kind, int] = {"window": _WINDOW, "running": _RUNNING, "budget": _BUDGET}
"""The number that stands for a kind in the file."""


def width_of(take: Take) -> float:
    """The seconds of one bucket."""
    return take.period / (SLOTS - 1)


class Window:
    """A ring of buckets, each of which counts until it is wholly out of the period."""

    __slots__ = ("_file", "_first", "_newest", "_total", "_width", "key", "moved", "slot")

    def __init__(self, file: CounterFile, record: int, key: bytes, _place: int = 0) -> None:
        start = file.start(record)
        self._file = file
        self._first = (start + _BODY) // 4
        self._newest, self._total = start // 8 + _NEWEST, start // 8 + _TOTAL
        self._width: float = RECORD.unpack_from(file.memory, start)[3]
        self.key = key
        self.moved = file.moved
        self.slot = 0
        """The number of the newest bucket, since somebody last looked at what is left."""

    def left(self, cap: int, now: float) -> int:
        """What is left; buckets that are out of the period are freed."""
        places = self._file.places
        self.slot = slot = int(now / self._width)
        newest = places[self._newest]
        if slot > newest:
            self._advance(newest, slot)
        elif slot < newest:
            self.slot = newest
        return cap - places[self._total]

    def _advance(self, newest: int, slot: int) -> None:
        file, first = self._file, self._first
        total = file.places[self._total]
        if slot - newest >= SLOTS and total:
            file.memory[first * 4 : (first + SLOTS) * 4] = bytes(SLOTS * 4)
            total = 0
        buckets, passed = file.buckets, newest
        while total and passed < slot:  # where nothing is left, nothing is to be freed
            passed += 1
            at = first + passed % SLOTS
            if gone := buckets[at]:
                total -= gone
                buckets[at] = 0
        file.places[self._newest], file.places[self._total] = slot, total

    def take(self, units: int, cap: int, left: int, now: float) -> Level:
        """Take so much, so that so much is left of `cap`: see `left`, which comes first."""
        file, slot = self._file, self.slot
        file.buckets[self._first + slot % SLOTS] += units
        file.places[self._total] += units
        reset = (slot + SLOTS) * self._width - now if left < cap else 0.0
        return level_of((left, reset))

    def _add(self, slot: int, units: int) -> None:
        self._file.buckets[self._first + slot % SLOTS] += units
        self._file.places[self._total] += units

    def charge(self, units: int) -> None:
        """So much was used, and never taken; what no cap allows need not be counted."""
        self._add(self.slot, min(units, MOST - self._file.places[self._total]))

    def level(self, cap: int, left: int, now: float) -> Level:
        """Where it stands with so much left of `cap`."""
        reset = (self.slot + SLOTS) * self._width - now if left < cap else 0.0
        return level_of((left, reset if reset > 0 else 0.0))

    def wait(self, missing: int, now: float) -> float:
        """Seconds until so much more is free, if nobody else takes it."""
        for slot in range(self.slot - SLOTS + 1, self.slot + 1):
            missing -= self._file.buckets[self._first + slot % SLOTS]
            if missing <= 0:
                return max(0.0, (slot + SLOTS) * self._width - now)
        return self._width * (SLOTS - 1)

    def settle(self, slot: int, cost: int, used: int) -> None:
        """End a call that took `cost` in the bucket `slot`: what it did not use is free again."""
        self.left(0, self._file.now())
        if self.slot - slot < SLOTS:
            self._add(slot, used - cost)

    def bury(self, place: int) -> None:
        """A worker is gone: what it took counts as used."""

    def mend(self) -> None:
        """Make the total anew."""
        buckets = self._file.buckets[self._first : self._first + SLOTS]
        self._file.places[self._total] = sum(buckets)


class _Held:
    """What each worker holds, and the sum of it in the word `_SUM` of the record."""

    __slots__ = ("_file", "_mine", "_sum", "key", "moved", "slot")
    _SUM = 0

    def __init__(self, file: CounterFile, record: int, key: bytes, place: int = 0) -> None:
        at = file.start(record) // 8
        self._file = file
        self._sum = at + self._SUM
        self._mine = at + _BODY // 8 + place
        self.key = key
        self.moved = file.moved
        self.slot = 0

    def take(self, units: int, _cap: int, left: int, _now: float) -> Level:
        """Hold so much more in this worker, so that so much is left."""
        self._add(units)
        return level_of((left, 0.0))

    def _add(self, units: int) -> None:
        places = self._file.places
        places[self._mine] += units
        places[self._sum] += units

    def level(self, _cap: int, left: int, _now: float) -> Level:
        """Where it stands with so much left."""
        return level_of((left, 0.0))

    def _void(self, place: int) -> None:
        """Nothing is held by a worker any more."""
        places, at = self._file.places, self._mine + place
        places[self._sum] -= places[at]
        places[at] = 0

    def mend(self) -> None:
        """Make the sum anew."""
        places = self._file.places
        places[self._sum] = sum(places[self._mine : self._mine + WORKERS])


class Running(_Held):
    """What each worker has under way."""

    __slots__ = ()
    _SUM = 3

    def left(self, cap: int, _now: float) -> int:
        """What is left."""
        return cap - self._file.places[self._sum]

    def charge(self, units: int) -> None:
        """What runs is never charged for."""

    def settle(self, _slot: int, cost: int, _used: int) -> None:
        """A call that took `cost` has ended."""
        self._add(-cost)

    def bury(self, place: int) -> None:
        """A worker is gone: nothing of it is under way."""
        self._void(place)


class Budget(_Held):
    """What was used for good, in the word behind the sum, and what each worker has reserved."""

    __slots__ = ()
    _SUM = 2

    def left(self, cap: int, _now: float) -> int:
        """What is left; what is reserved is not."""
        places, at = self._file.places, self._sum
        return cap - places[at] - places[at + 1]

    def charge(self, units: int) -> None:
        """So much was used."""
        self._file.places[self._sum + 1] += units

    def settle(self, _slot: int, cost: int, used: int) -> None:
        """End a call that reserved `cost` and used so much."""
        self.charge(used)  # first: who is killed in between has charged too much, not too little
        self._add(-cost)

    def bury(self, place: int) -> None:
        """A worker is gone: what it reserved may have been used, so nobody gets it twice."""
        self.charge(self._file.places[self._mine + place])
        self._void(place)


Count = Window | Running | Budget
_CLASSES: dict[int, type[Window | Running | Budget]] = {
    _WINDOW: Window,
    _RUNNING: Running,
    _BUDGET: Budget,
}


def count_of(file: CounterFile, record: int, place: int = 0) -> Count:
    """The count in a record, as the worker at `place` has it; at 0 for all that are in turn."""
    key, *_, kind = RECORD.unpack_from(file.memory, file.start(record))
    return _CLASSES[kind](file, record, key, place)


def needed(file: CounterFile, now: float) -> list[int]:
    """The records that must be kept: budgets, and what is not empty.

    All columns at once: a hundred thousand keys have several hundred thousand counts, and whoever
    looks holds up everybody.
    """
    rows = zip(
        file.column(_KIND),
        file.column(_NEWEST),
        file.column(_TOTAL),
        file.reals(_WIDTH),
        strict=True,
    )
    return [
        record
        for record, (kind, newest, total, width) in enumerate(rows)
        if kind == _BUDGET or (total and (kind == _RUNNING or int(now / width) - newest < SLOTS))
    ]


def bury(file: CounterFile, places: Iterable[int]) -> None:
    """Void what dead workers held, who had these places."""
    kinds = file.column(_KIND)
    for place in places:
        held = file.column(_BODY // 8 + place)
        for record, (kind, units) in enumerate(zip(kinds, held, strict=True)):
            if units and kind != _WINDOW:
                count_of(file, record).bury(place)
