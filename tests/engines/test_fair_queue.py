"""A fair queue: never more places than there are, nobody forgotten, a turn for each key."""

import asyncio
from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugin.engines.fair_queue import FairQueue, LocalPlaces, may_take
from plugin.errors import EngineUnavailable


class Room:
    """Requests at a queue: which hold a place, in the order in which they got it."""

    def __init__(self, queue: FairQueue) -> None:
        self.queue = queue
        self.turns: list[str] = []
        self.holding: list[tuple[str, asyncio.Event]] = []
        self.tasks: list[tuple[str, asyncio.Task[None]]] = []

    def arrive(self, key: str) -> asyncio.Task[None]:
        task = asyncio.create_task(self._hold(key))
        self.tasks.append((key, task))
        return task

    async def _hold(self, key: str) -> None:
        async with self.queue.place(key):
            end = asyncio.Event()
            self.turns.append(key)
            self.holding.append((key, end))
            try:
                await end.wait()
            finally:
                self.holding.remove((key, end))

    def finish(self, number: int) -> None:
        if self.holding:
            self.holding[number % len(self.holding)][1].set()

    def leave(self, number: int) -> None:
        there = [task for _, task in self.tasks if not task.done()]
        if there:
            there[number % len(there)].cancel()

    @property
    def held(self) -> Counter[str]:
        return Counter(key for key, _ in self.holding)

    @property
    def waiting(self) -> set[str]:
        left = Counter(key for key, task in self.tasks if not task.done()) - self.held
        return set(left)


async def settled() -> None:
    for _ in range(6):
        await asyncio.sleep(0)


def local(total: int, share: float, most: int = 2048) -> Room:
    return Room(FairQueue(LocalPlaces(total, share), most=most))


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("arrive"), st.integers(0, 3)),
        st.tuples(st.just("finish"), st.integers(0, 9)),
        st.tuples(st.just("leave"), st.integers(0, 9)),
    ),
    max_size=60,
)


@given(STEPS, st.integers(1, 6), st.sampled_from([1, 2, 4]))
def test_no_place_is_held_twice_and_no_request_is_forgotten(
    steps: Sequence[tuple[str, int]], total: int, share: float
) -> None:
    async def run() -> None:
        room = local(total, share)
        for number, (what, which) in enumerate(steps):
            if what == "arrive":
                room.arrive("abcd"[which])
            else:
                getattr(room, what)(which)
            if number % 3:  # sometimes several things happen before any task runs
                continue
            await settled()
            free = total - len(room.holding)
            assert free >= 0
            for key in room.waiting:
                assert not may_take(room.held[key], free, share), "a free place, and a key waits"
        await settled()
        while room.holding:  # every request that did not leave has its turn
            room.finish(0)
            await settled()
        assert not room.waiting
        assert room.queue.waiting == 0
        await asyncio.gather(*(task for _, task in room.tasks), return_exceptions=True)

    asyncio.run(run())


@given(st.lists(st.sampled_from("aaaabc"), min_size=1, max_size=40), st.integers(1, 4))
def test_a_key_that_waits_has_its_turn_before_another_has_two(keys: list[str], total: int) -> None:
    async def run() -> None:
        room = local(total, share=total)
        for key in keys:
            room.arrive(key)
        await settled()
        while room.holding:
            # all that hold a place end together: then no key holds any
            before = len(room.turns)
            waited = room.waiting
            for number in range(len(room.holding)):
                room.holding[number][1].set()
            await settled()
            served = Counter(room.turns[before:])
            if waited - set(served):
                assert max(served.values(), default=0) <= 1
        assert len(room.turns) == len(keys)

    asyncio.run(run())


async def test_one_key_leaves_a_place_for_another() -> None:
    room = local(5, share=4)
    for _ in range(20):
        room.arrive("attacker")
    await settled()
    assert room.held == {"attacker": 4}
    room.arrive("victim")
    await settled()
    assert room.held == {"attacker": 4, "victim": 1}


async def test_a_place_goes_to_the_key_that_holds_the_fewest() -> None:
    room = local(2, share=2)
    for key in ("long", "long", "long", "late"):
        room.arrive(key)
    await settled()
    assert room.turns == ["long", "long"]
    room.finish(0)
    await settled()
    assert room.turns[2:] == ["late"]


async def test_one_place_goes_round() -> None:
    room = local(1, share=1)
    for key in "aaabbc":
        room.arrive(key)
    for _ in range(6):
        await settled()
        room.finish(0)
    await settled()
    assert "".join(room.turns) == "aabcab"


async def test_a_caller_who_leaves_gives_up_its_place_in_line() -> None:
    room = local(1, share=1)
    room.arrive("a")
    await settled()
    leaving = room.arrive("b")
    room.arrive("c")
    await settled()
    assert room.queue.waiting == 2
    leaving.cancel()
    await settled()
    assert room.queue.waiting == 1
    room.finish(0)
    await settled()
    assert room.turns == ["a", "c"]


async def test_a_caller_who_leaves_as_its_turn_comes_passes_it_on() -> None:
    room = local(1, share=1)
    room.arrive("a")
    await settled()
    leaving = room.arrive("b")
    room.arrive("c")
    await settled()
    room.finish(0)
    await asyncio.sleep(0)  # the place is given away, and nobody has run yet
    await asyncio.sleep(0)
    leaving.cancel()
    await settled()
    assert room.turns[-1] == "c"
    room.finish(0)
    await settled()
    assert room.queue.take("d")


async def test_a_queue_that_closes_keeps_no_request_waiting() -> None:
    room = local(1, share=1)
    first, second = room.arrive("a"), room.arrive("b")
    await settled()
    room.queue.close()
    await settled()
    assert second.cancelled()
    room.finish(0)
    await first


async def test_the_line_is_bounded_and_a_key_has_half_of_it() -> None:
    room = local(1, share=1, most=8)
    for _ in range(5):
        room.arrive("a")
    await settled()
    assert room.queue.waiting == 4
    with pytest.raises(EngineUnavailable, match="Too many requests wait") as caught:
        await room.queue.wait("a")
    assert caught.value.headers == {"retry-after": "1"}
    for key in "bcde":
        room.arrive(key)
    await settled()
    with pytest.raises(EngineUnavailable):
        await room.queue.wait("f")
    for _, task in room.tasks:
        task.cancel()
    await settled()
    assert room.queue.waiting == 0
