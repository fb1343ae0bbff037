import asyncio
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field

import pytest

from plugin.errors import Overloaded
from plugin.pools.turns import Turns


class LeftError(Exception):
    pass


@dataclass
class Request:
    caller_id: str
    gone: asyncio.Event = field(default_factory=asyncio.Event)

    async def left(self) -> None:
        await self.gone.wait()
        raise LeftError


current: ContextVar[Request | None] = ContextVar("current", default=None)


@pytest.fixture(autouse=True)
def nobody() -> Iterator[None]:
    token = current.set(None)
    yield
    current.reset(token)


def turns(places: int, seconds: float = 5.0) -> Turns:
    return Turns("the places", places, current.get, seconds)


def of(caller: str) -> Request:
    request = Request(caller)
    current.set(request)
    return request


async def started(work: "asyncio.Task[str]") -> "asyncio.Task[str]":
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not work.done()
    return work


async def waits(places: Turns, caller: str) -> "asyncio.Task[str]":
    of(caller)
    assert places.take() is None
    return await started(asyncio.create_task(places.wait()))


async def test_a_caller_takes_half_of_the_places_at_most() -> None:
    places = turns(4)
    of("ann")
    assert [places.take() for _ in range(3)] == ["ann", "ann", None]
    of("bob")
    assert [places.take() for _ in range(3)] == ["bob", "bob", None]
    of("eve")
    assert places.take() is None
    places.give_back("ann")
    assert places.take() == "eve"


async def test_the_services_own_work_is_one_more_caller() -> None:
    places = turns(2)
    assert [places.take() for _ in range(2)] == ["", None]


async def test_those_who_wait_come_in_turn_between_callers() -> None:
    places = turns(2)
    of("ann")
    places.take()
    first, second = await waits(places, "ann"), await waits(places, "ann")
    of("bob")
    assert places.take() == "bob"
    third = await waits(places, "eve")
    places.give_back("bob")  # ann holds her share: it is for eve
    assert await third == "eve"
    places.give_back("ann")
    assert await first == "ann"
    assert not second.done()
    places.give_back("ann")
    assert await second == "ann"
    assert places.waiting == 0


async def test_a_free_place_goes_past_those_who_wait_for_their_own_share() -> None:
    places = turns(4)
    of("ann")
    assert [places.take(), places.take()] == ["ann", "ann"]
    waiting = await waits(places, "ann")
    of("bob")
    assert places.take() == "bob"
    waiting.cancel()


async def test_who_waits_too_long_is_told_whose_calls_hold_the_places() -> None:
    places = turns(2, seconds=0.01)
    of("ann")
    places.take()
    with pytest.raises(Overloaded, match="Other calls of this key use its share of the places"):
        await places.wait()
    of("bob")
    places.take()
    of("eve")
    with pytest.raises(Overloaded, match="The calls of other keys use the places") as told:
        await places.wait()
    assert told.value.headers == {"retry-after": "1"}
    assert places.waiting == 0


async def test_a_caller_who_leaves_gives_up_its_place_in_line() -> None:
    places = turns(2)
    request = of("ann")
    places.take()
    waiting = await started(asyncio.create_task(places.wait()))
    request.gone.set()
    with pytest.raises(LeftError):
        await waiting
    assert places.waiting == 0
    places.give_back("ann")
    assert places.take() == "ann"


@pytest.mark.parametrize("also_leaves", [False, True])
async def test_a_place_that_is_given_at_the_moment_of_cancelling_is_not_lost(
    also_leaves: bool,
) -> None:
    places = turns(1)
    request = of("ann")
    places.take()
    waiting = await started(asyncio.create_task(places.wait()))
    if also_leaves:
        request.gone.set()
    places.give_back("ann")
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert places.take() == "ann"


async def test_a_turn_is_given_back_whatever_happens() -> None:
    places = turns(1)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            async with places.turn():
                raise ZeroDivisionError
    async with places.turn():
        assert places.take() is None
