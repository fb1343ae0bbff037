"""Places that workers share: one rule for all of them, and nothing kept by the dead."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugin.engines.fair_queue import FairQueue
from plugin.engines.shared_places import SharedPlaces
from plugin.storage.worker_lease import WorkerLease
from tests.engines.test_fair_queue import STEPS, Room, settled

LOOK = 0.002


class Named:
    """A worker that lives, as do those in `living`."""

    def __init__(self, name: str, living: set[str]) -> None:
        self.id = name
        self._living = living
        living.add(name)

    def is_alive(self, id_: str) -> bool:
        return id_ in self._living


def opened(path: Path, name: str, living: set[str], total: int = 5) -> SharedPlaces:
    return SharedPlaces(path, Named(name, living), total, share=total - 1)


def one(key: str) -> list[tuple[str, int]]:
    return [(key, time.monotonic_ns())]


@pytest.fixture
def two(tmp_path: Path) -> Iterator[tuple[SharedPlaces, SharedPlaces, set[str]]]:
    living: set[str] = set()
    with ExitStack() as stack:
        first, second = (
            stack.enter_context(closing(opened(tmp_path / "text", name, living)))
            for name in ("first", "second")
        )
        yield first, second, living


Two = tuple[SharedPlaces, SharedPlaces, set[str]]


def test_a_key_is_bounded_over_all_workers(two: Two) -> None:
    first, second, _ = two
    taken = [places.take(one("a")) for places in (first, second, first, second, first)]
    assert taken == ["a", "a", "a", "a", None]
    assert second.take(one("b")) == "b"
    assert first.take(one("c")) is None
    second.give_back("a")
    assert first.take(one("c")) == "c"


def test_the_place_goes_to_the_worker_whose_key_is_next(two: Two) -> None:
    first, second, _ = two
    for key in "aaaab":
        assert first.take(one(key)) == key
    waiting = one("c")
    assert second.take(waiting) is None  # c waits there, and holds nothing
    first.give_back("b")
    assert first.take(one("a")) is None
    assert first.take(one("b")) is None, "c waits longer"
    assert second.take(waiting) == "c"


def test_a_worker_that_does_not_look_again_is_not_waited_for(
    two: Two, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, _ = two
    for key in "aaaab":
        assert first.take(one(key)) == key
    assert second.take(one("c")) is None
    first.give_back("b")
    later = time.monotonic_ns() + 1_000_000_000
    monkeypatch.setattr(time, "monotonic_ns", lambda: later)
    assert first.take(one("b")) == "b"


def test_the_dead_keep_nothing(two: Two) -> None:
    first, second, living = two
    for _ in range(4):
        first.take(one("a"))
    first.take(one("b"))
    living.discard("first")
    assert second.take(one("c")) is None
    second.repair()
    assert [second.take(one(key)) for key in "aaaab"] == ["a", "a", "a", "a", "b"]


def test_one_that_was_taken_for_dead_goes_on(two: Two) -> None:
    first, second, living = two
    first.take(one("a"))
    living.discard("first")
    second.repair()
    living.add("first")
    first.give_back("a")  # it was returned by the other
    first.repair()
    assert [first.take(one("a")) for _ in range(5)] == ["a", "a", "a", "a", None]


def test_a_closed_worker_keeps_nothing(tmp_path: Path) -> None:
    living: set[str] = set()
    places = opened(tmp_path / "text", "first", living)
    places.take(one("a"))
    places.close()
    places.give_back("a")
    with closing(opened(tmp_path / "text", "second", living)) as after:
        assert [after.take(one("a")) for _ in range(4)] == ["a"] * 4


def test_what_is_no_such_file_is_begun_anew(tmp_path: Path) -> None:
    (tmp_path / "text").write_bytes(os.urandom(100_000))
    with closing(opened(tmp_path / "text", "first", set())) as places:
        assert [places.take(one("a")) for _ in range(5)] == ["a", "a", "a", "a", None]


def test_a_turn_from_before_a_reboot_is_forgotten(
    two: Two, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, _ = two
    with monkeypatch.context() as patch:
        late = time.monotonic_ns() + 10**15
        patch.setattr(time, "monotonic_ns", lambda: late)
        first.take(one("a"))
        first.give_back("a")
    waiting = [*one("a"), *one("b")]
    assert second.take(waiting) == "a"


_KILLED = """
import sys, time
from pathlib import Path
from plugin.engines.shared_places import SharedPlaces
from plugin.storage.worker_lease import WorkerLease

directory = Path(sys.argv[1])
places = SharedPlaces(directory / "text", WorkerLease(directory / "holders"), 5, 4)
taken = [places.take([(key, time.monotonic_ns())]) for key in "aaaab"]
print("".join(taken), flush=True)
time.sleep(600)
"""


def test_a_killed_worker_keeps_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _KILLED, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as killed:  # noqa: S603 - our own
        assert killed.stdout is not None
        assert killed.stdout.readline() == b"aaaab\n"
        assert asyncio.run(_turns_beside(killed, tmp_path)) == (0, 4)


async def _turns_beside(killed: "subprocess.Popen[bytes]", directory: Path) -> tuple[int, int]:
    """How many of four requests have a place before a worker is killed, and after it."""
    with (
        closing(WorkerLease(directory / "holders")) as holder,
        closing(SharedPlaces(directory / "text", holder, 5, 4)) as places,
        closing(FairQueue(places, look=LOOK)) as queue,
    ):
        room = Room(queue)
        for _ in range(4):
            room.arrive("c")
        await asyncio.sleep(0.5)
        before = len(room.turns)
        killed.send_signal(signal.SIGKILL)
        await asyncio.sleep(1.0)
        for _, task in room.tasks:
            task.cancel()
        await settled()
        return before, len(room.turns)


@given(STEPS, st.integers(2, 5))
def test_over_two_workers_no_place_is_held_twice_and_no_request_is_forgotten(
    tmp_path_factory: pytest.TempPathFactory, steps: Sequence[tuple[str, int]], total: int
) -> None:
    path = tmp_path_factory.mktemp("places") / "text"

    async def run() -> None:
        living: set[str] = set()
        with ExitStack() as stack:
            rooms = []
            for name in ("first", "second"):
                places = stack.enter_context(closing(opened(path, name, living, total)))
                rooms.append(Room(stack.enter_context(closing(FairQueue(places, look=LOOK)))))
            for number, (what, which) in enumerate(steps):
                room = rooms[number % 2]
                if what == "arrive":
                    room.arrive("abcd"[which])
                else:
                    getattr(room, what)(which)
                await settled()
                held = rooms[0].held + rooms[1].held
                assert sum(held.values()) <= total
                assert max(held.values(), default=0) < total
            async with asyncio.timeout(10):
                while any(room.holding or room.waiting for room in rooms):
                    for room in rooms:
                        room.finish(0)
                    await asyncio.sleep(LOOK)
            assert [room.queue.waiting for room in rooms] == [0, 0]

    asyncio.run(run())
