import asyncio
from contextlib import AsyncExitStack
from typing import Any

import pytest

from plugin.engines.catalog import Model
from plugin.engines.engine import Whole
from plugin.engines.fallback import Fallback, engines_of
from plugin.engines.upstream import Upstream
from plugin.errors import EngineUnavailable, PluginError, UpstreamRefused
from plugin.messages import AnsweredBy
from tests.engines.scripted_upstream import (
    DONE,
    Clock,
    ask,
    chunk,
    cut,
    engine,
    error,
    events,
    hangs,
    reply,
    upstream,
    whole,
)

GOOD = whole(reply())
NOBODY = "http://127.0.0.1:9/v1"


async def fails(far: Upstream | Fallback, **body: Any) -> PluginError:
    with pytest.raises(PluginError) as caught:
        await far.answer(ask(**body))
    return caught.value


async def status(far: Upstream | Fallback) -> int:
    told = await fails(far)
    return told.answered[0] if isinstance(told, UpstreamRefused) else told.status


async def streamed(far: Upstream | Fallback) -> list[bytes]:
    answer = await far.answer(ask(stream=True))
    assert not isinstance(answer, Whole)
    return [piece async for piece in answer.pieces]


@pytest.mark.parametrize("bad", [cut, error(408), error(429), error(500), error(503), error(529)])
async def test_what_may_pass_is_tried_again(bad: Any) -> None:
    clock = Clock()
    async with upstream(bad, bad, GOOD) as there, engine(there.url, clock) as far:
        assert isinstance(await far.answer(ask()), Whole)
    assert len(there.requests) == 3
    assert clock.slept == [0.25, 0.5], "later each time"


@pytest.mark.parametrize(
    "bad", [error(400), error(401), error(404), error(409), error(429, code="insufficient_quota")]
)
async def test_what_will_not_pass_is_not_tried_again(bad: Any) -> None:
    async with upstream(bad, GOOD) as there, engine(there.url) as far:
        await fails(far)
    assert len(there.requests) == 1


async def test_there_is_an_end_to_it() -> None:
    async with upstream(error(500)) as there, engine(there.url, retries=3) as far:
        assert await status(far) == 502
        assert far.breaker.state == "closed"
    assert len(there.requests) == 4


async def test_whose_failure_was_the_last_straw_hears_of_it_at_once() -> None:
    clock = Clock()
    async with upstream(error(500)) as there, engine(there.url, clock, retries=4) as far:
        assert await status(far) == 502
        slept = len(clock.slept)
        assert far.breaker.state == "open"
        clock.now += far.breaker.wait
        assert await status(far) == 502, "the probe's own failure"
        assert await status(far) == 503
    assert len(there.requests) == 6
    assert len(clock.slept) == slept == 4


@pytest.mark.parametrize(
    ("header", "slept"),
    [
        ("Retry-After: 3", 3.0),
        ("Retry-After-Ms: 1500", 1.5),
        ("Date: Mon, 02 Nov 2026 10:00:00 GMT\r\nRetry-After: Mon, 02 Nov 2026 10:00:04 GMT", 4.0),
        ("Retry-After: 0", 0.25),
        ("Retry-After: soon", 0.25),
        ("Retry-After: nan", 0.25),
        ("Retry-After: -5", 0.25),
        (f"Retry-After: Mon, 02 Nov 2026 10:00:04 +{'9' * 20}", 0.25),
    ],
)
async def test_an_upstream_says_when_to_come_again(header: str, slept: float) -> None:
    clock = Clock()
    async with upstream(error(429, header), GOOD) as there, engine(there.url, clock) as far:
        await far.answer(ask())
    assert clock.slept == [slept]


@pytest.mark.parametrize(("asked", "said"), [("40", "40"), ("1e300", "31536000")])
async def test_a_long_wait_is_the_callers_to_decide(asked: str, said: str) -> None:
    clock = Clock()
    play = error(429, f"Retry-After: {asked}", type="tokens")
    async with upstream(play) as there, engine(there.url, clock) as far:
        told = await fails(far)
    assert isinstance(told, UpstreamRefused)
    assert told.answered == (429, "tokens", "rate_limit_exceeded")
    assert told.headers == {"retry-after": said}
    assert (clock.slept, len(there.requests)) == ([], 1)


async def test_the_budget_ends_retries_for_everybody() -> None:
    async with upstream(error(429)) as there, engine(there.url, retries=5) as far:
        for _ in range(40):
            assert await status(far) == 429
    assert len(there.requests) <= 40 + 10 + 4


async def test_too_many_requests_do_not_open_the_breaker() -> None:
    async with upstream(error(429)) as there, engine(there.url, retries=0) as far:
        for _ in range(20):
            await fails(far)
        assert far.breaker.state == "closed"


@pytest.mark.parametrize("bad", [cut, error(500), events(chunk()), events(chunk(), ends=False)])
async def test_failures_of_the_address_open_its_breaker(bad: Any) -> None:
    async with upstream(bad) as there, engine(there.url, retries=0) as far:
        for _ in range(5):
            with pytest.raises(PluginError):
                await streamed(far)
        assert far.breaker.state == "open"
        told = await fails(far)
        assert isinstance(told, EngineUnavailable)
        assert told.headers == {"retry-after": "5"}
    assert len(there.requests) == 5


async def test_an_open_breaker_tries_once_and_closes_again() -> None:
    clock = Clock()
    async with (
        upstream(*[error(500)] * 5, GOOD) as there,
        engine(there.url, clock, retries=0) as far,
    ):
        for _ in range(5):
            await fails(far)
        clock.now += 5
        answers = await asyncio.gather(
            *(far.answer(ask()) for _ in range(10)), return_exceptions=True
        )
        assert sum(isinstance(answer, Whole) for answer in answers) == 1
        assert far.breaker.state == "closed"
    assert len(there.requests) == 6


async def test_a_caller_who_leaves_says_nothing_about_the_address() -> None:
    async with upstream(hangs) as there, engine(there.url) as far:
        for _ in range(8):
            task = asyncio.ensure_future(far.answer(ask()))
            await asyncio.sleep(0.02)
            task.cancel()
            await asyncio.wait({task})
        assert far.breaker.state == "closed"


@pytest.mark.parametrize(
    "bad", [cut, error(500), error(429, "Retry-After: 5"), error(401), error(302), whole(b"<html>")]
)
@pytest.mark.parametrize("stream", [False, True])
async def test_the_next_upstream_answers_in_its_place(bad: Any, stream: bool) -> None:
    good = events(chunk(), DONE) if stream else GOOD
    async with (
        upstream(bad) as first,
        upstream(good) as second,
        engine(first.url, retries=0) as one,
        engine(second.url, name="near") as other,
    ):
        answer = await Fallback([one, other]).answer(ask(stream=stream))
    assert answer.answered_by == AnsweredBy("small", "near")
    assert (len(first.requests), len(second.requests)) == (1, 1)


async def test_a_silent_upstream_is_given_up_for_the_next() -> None:
    async with (
        upstream(hangs) as first,
        upstream(GOOD) as second,
        engine(first.url, timeout=0.1) as one,
        engine(second.url) as other,
    ):
        assert isinstance(await Fallback([one, other]).answer(ask()), Whole)


async def test_a_mistake_of_the_caller_goes_no_further() -> None:
    async with (
        upstream(error(400)) as first,
        upstream(GOOD) as second,
        engine(first.url) as one,
        engine(second.url) as other,
    ):
        assert await status(Fallback([one, other])) == 400
    assert second.requests == []


async def test_after_the_first_byte_nobody_else_is_asked() -> None:
    async with (
        upstream(events(chunk(), ends=False)) as first,
        upstream(events(chunk(), DONE)) as second,
        engine(first.url) as one,
        engine(second.url) as other,
    ):
        answer = await Fallback([one, other]).answer(ask(stream=True))
        assert not isinstance(answer, Whole)
        with pytest.raises(UpstreamRefused):
            [piece async for piece in answer.pieces]
    assert second.requests == []


async def test_an_open_breaker_is_passed_over_and_all_open_is_a_fast_no() -> None:
    async with AsyncExitStack() as stack:
        clock = Clock()
        there = await stack.enter_async_context(upstream(GOOD))
        one = await stack.enter_async_context(engine(NOBODY, clock, retries=0))
        other = await stack.enter_async_context(engine(there.url, clock, retries=0))
        both = Fallback([one, other])
        for _ in range(6):
            await both.answer(ask())
        assert (one.breaker.state, other.breaker.state) == ("open", "closed")
        clock.now += 1
        there.plays[:] = [error(500)]
        for _ in range(5):
            assert await status(both) == 502
        told = await fails(both)
        assert isinstance(told, EngineUnavailable)
        assert told.headers == {"retry-after": "4"}, "when the first of them is tried again"


async def test_one_engine_a_model() -> None:
    async with engine(NOBODY) as one, engine(NOBODY) as other:
        shared, own = Model("a", "text", "one"), Model("b", "text", "other")
        served = [(shared, one), (Model("a", "text", "other"), other), (own, other)]
        (first, both), (second, alone) = engines_of(served)
    assert (first, second) == (shared, own)
    assert isinstance(both, Fallback)
    assert alone is other
