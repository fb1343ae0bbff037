"""Waiting: in turn between keys, no longer than allowed, and nothing is lost by leaving."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from plugin.gate.counters.protocol import Refusal, Take, Taken
from plugin.gate.counters.shared import SharedCounters
from plugin.gate.queue import Queue, Room

RUNNING = Take("running", "running", 1)
WINDOW = Take("window", "window", 2, 1, 0.25)
BUDGET = Take("budget", "budget", 1, 1)


@pytest.fixture
def counters(tmp_path: Path) -> Iterator[SharedCounters]:
    opened = SharedCounters(tmp_path / "counters.bin")
    yield opened
    opened.close()


def taken(counters: SharedCounters, *takes: Take) -> Taken:
    found = counters.take(takes)
    assert isinstance(found, Taken)
    return found


def refusal(counters: SharedCounters, *takes: Take) -> Refusal:
    found = counters.take(takes)
    assert isinstance(found, Refusal)
    return found


def release(counters: SharedCounters, one: Taken) -> None:
    counters.settle(one, [0] * len(one.takes))


async def test_it_is_the_next_ones_turn_when_somebody_is_done(counters: SharedCounters) -> None:
    queue = Queue(counters, Room(10, 5))
    first = taken(counters, RUNNING)
    waiting = asyncio.create_task(queue.wait("a", [RUNNING], refusal(counters, RUNNING)))
    await asyncio.sleep(0.05)
    assert not waiting.done()
    release(counters, first)
    queue.freed()
    assert isinstance(await waiting, Taken)
    assert counters.level(RUNNING).left == 0


async def test_keys_take_turns_however_many_wait_for_one(counters: SharedCounters) -> None:
    queue = Queue(counters, Room(20, 5))
    current = taken(counters, RUNNING)
    order: list[str] = []
    came = asyncio.Event()

    async def one(key: str) -> None:
        nonlocal current
        found = await queue.wait(key, [RUNNING], refusal(counters, RUNNING))
        assert isinstance(found, Taken)
        order.append(key)
        current = found
        came.set()

    tasks = []
    for key in "aaaabbc":
        tasks.append(asyncio.create_task(one(key)))
        await asyncio.sleep(0)
    for _ in tasks:
        came.clear()
        release(counters, current)
        queue.freed()
        await came.wait()
    assert "".join(order) == "abcabaa"


async def test_a_window_lets_in_when_it_is_free_again(counters: SharedCounters) -> None:
    queue = Queue(counters, Room(10, 5))
    taken(counters, WINDOW)
    taken(counters, WINDOW)
    found = await queue.wait("a", [WINDOW], refusal(counters, WINDOW))
    assert isinstance(found, Taken)


async def test_nobody_waits_longer_than_allowed(counters: SharedCounters) -> None:
    queue = Queue(counters, Room(10, 0.05))
    held = taken(counters, RUNNING)
    found = await queue.wait("a", [RUNNING], refusal(counters, RUNNING))
    assert isinstance(found, Refusal)
    release(counters, held)
    await asyncio.sleep(0.05)
    assert counters.level(RUNNING).left == 1
    assert queue.ahead([RUNNING]) is None


async def test_who_leaves_gives_his_place_to_the_next(counters: SharedCounters) -> None:
    queue = Queue(counters, Room(10, 5))
    held = taken(counters, RUNNING)
    left = asyncio.create_task(queue.wait("a", [RUNNING], refusal(counters, RUNNING)))
    stays = asyncio.create_task(queue.wait("b", [RUNNING], refusal(counters, RUNNING)))
    await asyncio.sleep(0)
    left.cancel()
    release(counters, held)
    queue.freed()
    assert isinstance(await stays, Taken)
    with pytest.raises(asyncio.CancelledError):
        await left


async def test_who_leaves_in_the_moment_of_his_turn_takes_nothing_along(
    counters: SharedCounters,
) -> None:
    queue = Queue(counters, Room(10, 5))
    held = taken(counters, RUNNING)
    waiting = asyncio.create_task(queue.wait("a", [RUNNING], refusal(counters, RUNNING)))
    await asyncio.sleep(0)
    release(counters, held)
    while counters.level(RUNNING).left:  # noqa: ASYNC110 - between two steps of the loop
        await asyncio.sleep(0)  # until the turn was given, and not yet noticed
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert counters.level(RUNNING).left == 1


async def test_waiting_that_does_not_help_is_not_offered(counters: SharedCounters) -> None:
    queue = Queue(counters, Room(1, 0.1))
    taken(counters, BUDGET)
    assert not queue.admits(refusal(counters, BUDGET))
    long = Take("day", "window", 1, 1, 86_400.0)
    taken(counters, long)
    assert not queue.admits(refusal(counters, long))
    too_large = Take("small", "window", 1, 2, 0.05)
    assert not queue.admits(refusal(counters, too_large))
    never = Take("never", "running", 0)
    assert not queue.admits(refusal(counters, never))


async def test_only_so_many_wait_and_newcomers_stand_behind(counters: SharedCounters) -> None:
    queue = Queue(counters, Room(1, 5))
    held = taken(counters, RUNNING)
    why = refusal(counters, RUNNING)
    assert queue.admits(why)
    waiting = asyncio.create_task(queue.wait("a", [RUNNING], why))
    await asyncio.sleep(0)
    assert not queue.admits(why)
    assert queue.ahead([BUDGET, RUNNING]) == RUNNING
    assert queue.ahead([BUDGET]) is None
    release(counters, held)
    await waiting


async def test_one_who_waits_for_something_else_then_waits_there(
    counters: SharedCounters,
) -> None:
    queue = Queue(counters, Room(5, 5))
    held = taken(counters, RUNNING)
    waiting = asyncio.create_task(queue.wait("a", [WINDOW, RUNNING], refusal(counters, RUNNING)))
    await asyncio.sleep(0)
    taken(counters, WINDOW)
    taken(counters, WINDOW)
    release(counters, held)
    assert isinstance(await waiting, Taken)


async def test_a_budget_that_is_used_up_meanwhile_ends_the_waiting(
    counters: SharedCounters,
) -> None:
    queue = Queue(counters, Room(5, 5))
    taken(counters, RUNNING)
    why = refusal(counters, BUDGET, RUNNING)
    waiting = asyncio.create_task(queue.wait("a", [BUDGET, RUNNING], why))
    await asyncio.sleep(0)
    taken(counters, BUDGET)
    found = await waiting
    assert isinstance(found, Refusal)
    assert found.take is BUDGET


async def test_closing_ends_the_service(counters: SharedCounters) -> None:
    queue = Queue(counters, Room(5, 0.05))
    taken(counters, RUNNING)
    waiting = asyncio.create_task(queue.wait("a", [RUNNING], refusal(counters, RUNNING)))
    await asyncio.sleep(0)
    await queue.close()
    assert isinstance(await waiting, Refusal)
