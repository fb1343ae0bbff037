"""Windows go by a clock that never jumps, months and the ledger by the wall clock."""

from collections.abc import Callable
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from plugin.auth.caller import Caller
from plugin.errors import BudgetUsedUp, LimitReached
from plugin.gate.admission import Admission, Ending
from plugin.gate.counters import file as counter_file
from plugin.gate.counters.protocol import Refusal, Take
from plugin.gate.counters.shared import SharedCounters
from plugin.gate.gate import Gate
from plugin.gate.limits import Limit, Period
from tests.gate.gates import gate_with

ANN = Caller("key_ann", "Ann", frozenset({"*"}))
DAY = 86_400.0
NOW = datetime(2026, 12, 10, tzinfo=UTC).timestamp()
AHEAD = datetime(2040, 3, 1, tzinfo=UTC).timestamp()
BEHIND = datetime(1970, 1, 1, tzinfo=UTC).timestamp()


class Wall:
    """A wall clock that is set by hand, beside a machine whose own clock only goes on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch
        self.up = 1_000.0
        self.shift = 0.0
        self._boots = 0
        monkeypatch.setattr(counter_file, "_uptime", lambda: self.up)
        self.reboot()

    def __call__(self) -> float:
        return self.shift + self.up

    def set(self, now: float) -> None:
        self.shift = now - self.up

    def reboot(self) -> None:
        """Begin anew; `set` says afterwards what the wall clock shows then."""
        self._boots += 1
        boot = b"boot %11d" % self._boots
        self._monkeypatch.setattr(counter_file, "_boot", lambda: boot)
        self.up = 5.0


@pytest.fixture
def wall(monkeypatch: pytest.MonkeyPatch) -> Wall:
    return Wall(monkeypatch)


def requests(cap: int, period: Period) -> Limit:
    return Limit("key", "*", "requests", period, cap)


def call(gate: Gate) -> None:
    gate.tick()
    admitted = gate.admit(ANN, "chat", "gpt", "req_1")
    assert isinstance(admitted, Admission)
    admitted.settle(Ending(200))


def is_refused(gate: Gate, by: type[LimitReached]) -> bool:
    try:
        call(gate)
    except by:
        return True
    return False


@pytest.mark.parametrize("wrong", [AHEAD, BEHIND])
def test_a_clock_that_was_wrong_does_not_freeze_a_budget(
    tmp_path: Path, wall: Wall, wrong: float
) -> None:
    wall.set(wrong)
    with gate_with(tmp_path, requests(2, "month"), wall=wall) as (gate, _):
        call(gate)
        call(gate)
        assert is_refused(gate, BudgetUsedUp)
        wall.set(NOW)
        call(gate)
        call(gate)
        with pytest.raises(BudgetUsedUp, match=r"It resets at 2027-01-01T00:00:00Z\."):
            call(gate)
        wall.set(NOW + 31 * DAY)
        call(gate)


@pytest.mark.parametrize("wrong", [AHEAD, BEHIND])
def test_a_clock_that_was_right_before_gives_no_budget_twice(
    tmp_path: Path, wall: Wall, wrong: float
) -> None:
    wall.set(NOW)
    with gate_with(tmp_path, requests(1, "month"), wall=wall) as (gate, _):
        call(gate)
        wall.set(wrong)
        call(gate)
        wall.set(NOW)
        assert is_refused(gate, BudgetUsedUp)


def test_windows_do_not_see_the_wall_clock_jump(tmp_path: Path, wall: Wall) -> None:
    wall.set(NOW)
    with gate_with(tmp_path, requests(3, "minute"), wall=wall) as (gate, _):
        for jumped in (NOW, AHEAD, BEHIND):
            wall.set(jumped)
            call(gate)
        for jumped in (NOW, AHEAD, BEHIND):
            wall.set(jumped)
            assert is_refused(gate, LimitReached)
        wall.up += 61
        call(gate)


def test_the_ledger_and_months_go_by_the_same_clock(tmp_path: Path, wall: Wall) -> None:
    wall.set(AHEAD)
    with gate_with(tmp_path, requests(1, "month"), wall=wall) as (gate, book):
        call(gate)
        assert book.only[0].time == int(AHEAD * 1_000_000)


@pytest.mark.parametrize("wrong", [AHEAD, BEHIND])
def test_after_a_restart_of_all_workers_the_same_holds(
    tmp_path: Path, wall: Wall, wrong: float
) -> None:
    limits = requests(1, "month"), requests(2, "day")
    wall.set(wrong)
    with gate_with(tmp_path, *limits, wall=wall) as (gate, _):
        call(gate)
    wall.set(NOW)
    with gate_with(tmp_path, *limits, wall=wall) as (gate, _):
        call(gate)
        assert is_refused(gate, LimitReached)
    wall.up += DAY * 1.01
    with gate_with(tmp_path, *limits, wall=wall) as (gate, _):
        assert is_refused(gate, BudgetUsedUp)


def test_several_workers_have_one_budget_in_any_month(tmp_path: Path, wall: Wall) -> None:
    wall.set(AHEAD)
    with ExitStack() as stack:
        opened = gate_with(tmp_path, requests(3, "month"), wall=wall)
        other = gate_with(tmp_path, requests(3, "month"), wall=wall)
        (first, _), (second, _) = map(stack.enter_context, (opened, other))
        for now in (AHEAD, NOW, NOW + 31 * DAY):
            wall.set(now)
            for gate in (first, second, first):
                call(gate)
            assert is_refused(first, BudgetUsedUp)
            assert is_refused(second, BudgetUsedUp)


@pytest.mark.parametrize(
    ("before", "after", "free"),
    [
        (NOW, NOW + 2 * DAY, True),  # the machine was off for two days
        (NOW, NOW + DAY / 2, False),
        (NOW, BEHIND, False),
        (AHEAD, NOW, False),
        (BEHIND, BEHIND + DAY / 2, False),
    ],
)
def test_a_reboot_counts_the_time_that_the_machine_was_off(
    tmp_path: Path, wall: Wall, before: float, after: float, free: bool
) -> None:
    take = Take("day", "window", 1, 1, DAY)
    took = taking(tmp_path, wall, take)
    wall.set(before)
    assert took()
    wall.reboot()
    wall.set(after)
    assert took() is free


def test_a_clock_that_was_wrong_at_the_first_start_does_not_stay(
    tmp_path: Path, wall: Wall
) -> None:
    took = taking(tmp_path, wall, Take("day", "window", 1, 1, DAY))
    wall.set(AHEAD)
    assert took()
    for boot in range(1, 4):
        wall.reboot()
        wall.set(NOW + 2 * boot * DAY)
        # the first right boot cannot know how long it was off; each later one does
        assert took() is (boot > 1)


def taking(directory: Path, wall: Wall, take: Take) -> Callable[[], bool]:
    """What starts a worker, takes, and ends it; returns whether it could."""

    def took() -> bool:
        with closing(SharedCounters(directory / "counters.bin", wall)) as counters:
            return not isinstance(counters.take([take]), Refusal)

    return took
