"""Counts whose workers are killed, or fail, between two writes: nobody gets more for it."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from plugin.gate.counters import file as counter_file
from plugin.gate.counters import shared as shared_counters
from plugin.gate.counters.file import CounterFile, key_of
from plugin.gate.counters.protocol import Refusal, Take, Taken
from plugin.gate.counters.shared import SharedCounters

SHORT = [Take(f"short {number}", "window", 10, 1, 1.0) for number in range(6)]
FULL = Take("full", "window", 1, 1, 86_400.0)
BUDGET = Take("budget", "budget", 100, 30)
RUNNING = Take("running", "running", 1)


class Killed(BaseException):
    """As nothing after a kill: the lock goes with the process, the mark stays."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "counters.bin"


@pytest.fixture
def counters(path: Path) -> Iterator[SharedCounters]:
    with closing(SharedCounters(path)) as opened:
        yield opened


@pytest.mark.parametrize("steps", range(6))
def test_who_is_killed_while_counts_move(
    path: Path, counters: SharedCounters, monkeypatch: pytest.MonkeyPatch, steps: int
) -> None:
    now = 1000.0
    monkeypatch.setattr(counter_file, "_uptime", lambda: now)
    for take in (*SHORT, FULL, BUDGET):
        assert isinstance(counters.take([take]), Taken)
    now += 10
    starts = 0

    def start(record: int) -> int:
        nonlocal starts
        starts += 1
        if starts > steps:
            raise Killed
        return CounterFile.start(record)

    with closing(CounterFile(path)) as another:
        monkeypatch.setattr(another, "start", start)
        another.acquire()
        another.changing()
        with pytest.raises(Killed):
            another.keep([6, 7])
        fcntl.lockf(another._lock, fcntl.LOCK_UN)
        for take in SHORT:
            assert isinstance(counters.take([take]), Taken)
        assert isinstance(counters.take([FULL]), Refusal)
        assert counters.level(FULL).left == 0
        assert counters.level(BUDGET).left == 70
        assert [counters.level(take).left for take in SHORT] == [9] * 6


def test_a_place_that_somebody_has_again_is_not_buried(
    counters: SharedCounters, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between looking and taking the lock a new worker may have come, and have let one in."""
    assert isinstance(counters.take([RUNNING]), Taken)
    looks: list[list[int]] = [[counters._alive.place], []]
    monkeypatch.setattr(counters._alive, "dead", lambda: looks.pop(0))
    counters.bury_the_dead()
    assert not looks
    assert counters.level(RUNNING).left == 0


def test_who_comes_buries_as_a_change_that_can_be_mended(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    marks: list[int] = []

    def bury(file: CounterFile, _places: Any) -> None:
        marks.append(file.memory[24])

    monkeypatch.setattr(shared_counters, "bury", bury)
    SharedCounters(path).close()
    assert marks == [1]


def test_who_was_killed_while_the_file_grew_costs_nobody_anything(path: Path) -> None:
    CounterFile(path).close()
    os.truncate(path, path.stat().st_size + 1_000_000)
    with closing(CounterFile(path)) as file:
        mapped = file.memory
        file.acquire()
        file.release()
        assert file.memory is mapped


def test_where_the_grown_file_cannot_be_mapped_the_lock_is_given_back(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(CounterFile(path)) as file, closing(CounterFile(path)) as another:
        another.acquire()
        another._grow()
        another.release()
        locks: list[int] = []

        def lock(_file: int, how: int) -> None:
            locks.append(how)

        def no_room(*_: object) -> None:
            raise OSError(12, "no room")

        with monkeypatch.context() as patched:
            patched.setattr(counter_file, "_lock", lock)
            patched.setattr("plugin.gate.counters.file.mmap.mmap", no_room)
            with pytest.raises(OSError, match="no room"):
                file.acquire()
        assert locks == [fcntl.LOCK_EX, fcntl.LOCK_UN]
        file.acquire()
        assert file.find(key_of("nobody")) is None
        file.release()


def test_more_than_a_window_can_hold_is_as_much_as_it_can(counters: SharedCounters) -> None:
    day = Take("tokens", "window", 2**32 - 1, 1, 86_400.0)
    counters.charge(day, 3_000_000_000)
    counters.charge(day, 3_000_000_000)
    assert counters.level(day).left == 0
