"""Counts that several workers share: never too many, hardly too few, whoever is killed when."""

import fcntl
import multiprocessing
import os
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugin.gate.counters import file as counter_file
from plugin.gate.counters.protocol import Level, Refusal, Take, Taken
from plugin.gate.counters.shared import SharedCounters

PROCESSES = multiprocessing.get_context("spawn")
MINUTE = Take("minute", "window", 60, 1, 60.0)
RUNNING = Take("running", "running", 3)
BUDGET = Take("budget", "budget", 100, 30)


class Hands:
    """A clock that is set by hand, in seconds since the machine started."""

    def __init__(self) -> None:
        self.up = 1000.0

    def __call__(self) -> float:
        return self.up


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Hands:
    hands = Hands()
    monkeypatch.setattr(counter_file, "_uptime", hands)
    return hands


@pytest.fixture
def counters(tmp_path: Path) -> Iterator[SharedCounters]:
    opened = SharedCounters(tmp_path / "counters.bin")
    yield opened
    opened.close()


def took(found: Taken | Refusal) -> Taken:
    assert isinstance(found, Taken), found
    return found


def refused(found: Taken | Refusal) -> Refusal:
    assert isinstance(found, Refusal), found
    return found


@given(
    cap=st.integers(1, 50),
    period=st.sampled_from([1.0, 7.3, 60.0]),
    calls=st.lists(st.tuples(st.floats(0, 0.4), st.integers(1, 5)), max_size=120),
)
def test_no_stretch_of_the_period_ever_sees_more(
    tmp_path_factory: pytest.TempPathFactory,
    cap: int,
    period: float,
    calls: list[tuple[float, int]],
) -> None:
    hands = Hands()
    passed: list[tuple[float, int]] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(counter_file, "_uptime", hands)
        counters = SharedCounters(tmp_path_factory.mktemp("c") / "counters.bin")
        for pause, cost in calls:
            hands.up += pause * period
            if isinstance(counters.take([Take("x", "window", cap, cost, period)]), Taken):
                passed.append((hands.up, cost))
        counters.close()
    for begin, _ in passed:
        assert sum(cost for at, cost in passed if begin <= at < begin + period) <= cap


@pytest.mark.parametrize(("cap", "period"), [(5, 1.0), (60, 60.0), (1000, 1.0), (100, 86400.0)])
def test_a_full_load_gets_nearly_all(
    counters: SharedCounters, clock: Hands, cap: int, period: float
) -> None:
    passed, periods = 0, 40
    for _ in range(periods * 500):
        clock.up += period / 500
        while isinstance(counters.take([Take("x", "window", cap, 1, period)]), Taken):
            passed += 1
    assert 0.99 * cap * periods <= passed <= cap * (periods + 1)


def test_the_time_to_come_again_is_right(counters: SharedCounters, clock: Hands) -> None:
    dice = random.Random(1)  # noqa: S311 - the same times at each run
    for _ in range(300):
        clock.up += dice.random()
        found = counters.take([MINUTE])
        if isinstance(found, Refusal):
            assert found.retry is not None
            before = clock.up
            clock.up = before + found.retry - 0.01
            assert isinstance(counters.take([MINUTE]), Refusal)
            clock.up = before + found.retry + 0.01
            took(counters.take([MINUTE]))


def test_all_or_nothing(counters: SharedCounters) -> None:
    small = Take("small", "window", 1, 1, 60.0)
    took(counters.take([MINUTE, small]))
    found = refused(counters.take([MINUTE, RUNNING, small]))
    assert found.take == small
    assert counters.level(MINUTE).left == 59
    assert counters.level(RUNNING) == Level(3)


def test_what_runs_is_counted_until_it_ends(counters: SharedCounters) -> None:
    held = [took(counters.take([RUNNING])) for _ in range(3)]
    assert refused(counters.take([RUNNING])).retry is None
    counters.settle(held[0], [0])
    took(counters.take([RUNNING]))


def test_a_budget_is_reserved_and_then_charged(counters: SharedCounters) -> None:
    held = [took(counters.take([BUDGET])) for _ in range(3)]
    assert refused(counters.take([BUDGET])).level.left == 10
    counters.settle(held[0], [5])
    assert counters.level(BUDGET).left == 35
    counters.settle(held[1], [30])
    counters.settle(held[2], [0])
    assert counters.level(BUDGET).left == 65


def test_tokens_that_were_not_used_are_given_back(counters: SharedCounters, clock: Hands) -> None:
    tokens = Take("tokens", "window", 1000, 400, 60.0)
    first = took(counters.take([tokens]))
    took(counters.take([tokens]))
    refused(counters.take([tokens]))
    clock.up += 1
    counters.settle(first, [100])
    assert counters.level(tokens).left == 500
    took(counters.take([tokens]))


def test_a_restart_forgets_nothing_and_a_reboot_does_not_go_back(
    tmp_path: Path, clock: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "counters.bin"
    first = SharedCounters(file)
    began = first.now()
    took(first.take([BUDGET]))
    for _ in range(60):
        took(first.take([MINUTE]))
    first.close()
    second = SharedCounters(file)
    refused(second.take([MINUTE]))
    # a reservation without an end is charged: it may have been used
    assert second.level(BUDGET).left == 70
    second.close()
    monkeypatch.setattr(counter_file, "_boot", lambda: b"another boot....")
    clock.up = 3.0
    third = SharedCounters(file, lambda: time.time() - 10_000)
    assert began <= third.now() < began + 60
    refused(third.take([MINUTE]))
    third.close()


def test_many_counts(tmp_path: Path, clock: Hands) -> None:
    counters, other = (SharedCounters(tmp_path / "counters.bin") for _ in range(2))
    names = [f"key {number}" for number in range(9_000)]
    for name in names:
        took(counters.take([Take(name, "window", 2, 1, 1.0)]))
    for name in names[::97]:
        took(other.take([Take(name, "window", 2, 1, 1.0)]))
        refused(counters.take([Take(name, "window", 2, 1, 1.0)]))
    took(counters.take([BUDGET]))
    clock.up += 60
    # those that are empty again make room, the others stay
    for name in names:
        took(other.take([Take(f"new {name}", "window", 2, 1, 1.0)]))
    assert counters.level(BUDGET).left == 70
    assert other._file.used < 18_000
    counters.close()
    other.close()


def test_a_full_file_has_room_again_when_counts_are_empty(
    tmp_path: Path, clock: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counter_file, "_MOST", 100)
    counters = SharedCounters(tmp_path / "counters.bin")
    for number in range(100):
        took(counters.take([Take(f"old {number}", "window", 2, 1, 10.0)]))
    for _ in range(3):
        with pytest.raises(OverflowError):
            counters.take([Take("new", "window", 2, 1, 10.0)])
    clock.up += 12
    took(counters.take([Take("new", "window", 2, 1, 10.0)]))
    counters.close()


def test_a_taking_goes_on_where_counts_move_for_one_of_its_own(
    tmp_path: Path, clock: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counter_file, "_STEP", 20)
    counters = SharedCounters(tmp_path / "counters.bin")
    for number in range(18):
        took(counters.take([Take(f"old {number}", "window", 2, 1, 10.0)]))
    clock.up += 5
    takes = [Take("a", "window", 3, 1, 60.0), Take("b", "running", 3)]
    first = took(counters.take(takes))
    assert counters._file.used == 20
    clock.up += 10
    # the third of these makes room, and moves the first two
    second = took(counters.take([*takes, BUDGET]))
    assert counters._file.used == 3
    assert counters.level(takes[0]).left == 1
    assert counters.level(takes[1]).left == 1
    counters.settle(first, [1, 1])
    counters.settle(second, [1, 1, 5])
    assert counters.level(takes[1]).left == 3
    assert counters.level(BUDGET).left == 95
    counters.close()


def test_who_is_killed_in_a_change_leaves_no_harm(tmp_path: Path) -> None:
    counters = SharedCounters(tmp_path / "counters.bin")
    took(counters.take([MINUTE, BUDGET]))
    file = counters._file
    file.acquire()
    file.changing()
    start = file.start(0)
    file.places[start // 8 + 3] = 12_345
    file.memory[4096 : 4096 + 100] = b"\1" * 100
    # the lock goes with the process, the mark stays
    fcntl.lockf(file._lock, fcntl.LOCK_UN)
    assert counters.level(MINUTE).left == 59
    assert counters.level(BUDGET).left == 70
    counters.close()


def _take_many(path: Path, count: int, results: Any) -> None:
    counters = SharedCounters(path)
    one = Take("calls", "budget", 37, 1)
    passed = 0
    for _ in range(count):
        found = counters.take([one, Take("rate", "window", 10**6, 1, 60.0)])
        if isinstance(found, Taken):
            counters.settle(found, [1, 1])
            passed += 1
    results.put(passed)
    counters.close()


def test_four_processes_let_exactly_so_many_pass(tmp_path: Path) -> None:
    results = PROCESSES.Queue()
    workers = [
        PROCESSES.Process(target=_take_many, args=(tmp_path / "counters.bin", 250, results))
        for _ in range(4)
    ]
    for worker in workers:
        worker.start()
    assert sum(results.get(timeout=60) for _ in workers) == 37
    for worker in workers:
        worker.join()


def _hold_and_hang(path: Path, results: Any) -> None:
    counters = SharedCounters(path)
    counters.take([RUNNING, BUDGET])
    results.put(os.getpid())
    time.sleep(60)


def test_what_a_killed_worker_held(tmp_path: Path) -> None:
    counters = SharedCounters(tmp_path / "counters.bin")
    results = PROCESSES.Queue()
    worker = PROCESSES.Process(target=_hold_and_hang, args=(tmp_path / "counters.bin", results))
    worker.start()
    pid = results.get(timeout=60)
    counters.bury_the_dead()
    assert (counters.level(RUNNING).left, counters.level(BUDGET).left) == (2, 70)
    os.kill(pid, signal.SIGKILL)
    worker.join()
    counters.bury_the_dead()
    assert (counters.level(RUNNING).left, counters.level(BUDGET).left) == (3, 70)
    took(counters.take([RUNNING, BUDGET]))
    counters.bury_the_dead()
    assert (counters.level(RUNNING).left, counters.level(BUDGET).left) == (2, 40)
    counters.close()
