"""The engine dies under its callers, and callers leave the engine: all of them hear of it."""

import asyncio
import json
import os
import random
import signal
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.clients.event_stream import Answered, post
from tests.clients.gpt_service import GptService, serving_gpt
from tests.journeys.asked_why import why
from tests.journeys.running import Address, until
from tests.sizes import sized

ROUNDS = sized(1, 2)
STREAMS = sized(8, 50)
LEAVERS = sized(16, 100)
PATIENCE = 120
TEXT_IS_SENT = 4
"""Decoded tokens after which a stream has sent some text."""
SOON = sized(30.0, 3.0)
"""Seconds in which the next request must be answered after a kill."""

STORY: dict[str, Any] = {
    "model": "gpt-4",
    "messages": [{"role": "user", "content": "Tell me a long story about the sea."}],
    "max_tokens": 40,
    "stream": True,
}
WORD = {**STORY, "max_tokens": 1, "stream": False}


@pytest.fixture(scope="module")
def gpt(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GptService]:
    with serving_gpt(tmp_path_factory.mktemp("killed")) as service:
        yield service


def engine(gpt: GptService) -> dict[str, Any]:
    state: dict[str, Any] = json.loads((gpt.directory / "data" / "engine.json").read_text())
    return state


async def ask(gpt: GptService, body: Any, leave_after: int | None = None) -> Answered:
    port = gpt.running.address.port
    asking = post(port, "/v1/chat/completions", gpt.key, body, leave_after=leave_after)
    return await asyncio.wait_for(asking, PATIENCE)


async def killed_under(gpt: GptService) -> tuple[list[Answered], Answered]:
    """Kill the engine while streams flow; what they got, and what the next request got."""
    streams = [asyncio.create_task(ask(gpt, STORY)) for _ in range(STREAMS)]
    # A request of which no text was sent would run again, and not break off.
    await asyncio.to_thread(until, lambda: most_decoded(gpt) >= TEXT_IS_SENT)
    os.kill(engine(gpt)["pid"], signal.SIGKILL)
    following = await ask(gpt, WORD)
    return await asyncio.gather(*streams), following


def test_a_killed_engine_leaves_no_caller_hanging(gpt: GptService) -> None:
    broken = 0
    for _ in range(ROUNDS):
        ended, following = asyncio.run(killed_under(gpt))
        assert following.status == 200, following
        assert following.took < SOON
        for one in ended:
            assert one.status in {200, 503}
            assert one.done or one.error is not None, "a silent end"
            broken += one.error is not None
    assert broken >= ROUNDS
    assert engine(gpt)["state"] == "ready"


def slots(gpt: GptService) -> list[dict[str, Any]]:
    state = engine(gpt)
    address = Address(urlsplit(state["text"]).port or 0)
    told = address.call("GET", "/slots", {"authorization": f"Bearer {state['key']}"}).json()
    return list(told)


def slots_in_use(gpt: GptService) -> int:
    return sum(slot["is_processing"] for slot in slots(gpt))


def most_decoded(gpt: GptService) -> int:
    """The tokens that the engine has decoded for the stream that is furthest."""
    busy = [slot for slot in slots(gpt) if slot["is_processing"]]
    # before its prompt is read a slot has no next token
    return max(
        (token["n_decoded"] for slot in busy for token in slot.get("next_token", ())), default=0
    )


async def leaving(gpt: GptService, count: int) -> None:
    dice = random.Random(7)  # noqa: S311 - the same run each time
    at_once = asyncio.Semaphore(50)

    async def one() -> None:
        async with at_once:
            body = {**STORY, "stream": dice.random() < 0.8}
            if body["stream"]:
                await ask(gpt, body, leave_after=dice.choice((0, 1, 2, 5)))
            else:
                await ask(gpt, body, leave_after=0)

    await asyncio.gather(*(one() for _ in range(count)))


def test_clients_that_leave_free_their_slots(gpt: GptService) -> None:
    asyncio.run(leaving(gpt, LEAVERS))
    ended = time.monotonic()
    until(lambda: slots_in_use(gpt) == 0)
    assert time.monotonic() - ended < sized(30, 10)
    assert asyncio.run(ask(gpt, WORD)).status == 200


def test_plugin_why_tells_of_an_engine_that_died_while_it_answered(gpt: GptService) -> None:
    story = {**STORY, "max_tokens": 400}
    before = len(broken_off(gpt))

    async def killed() -> Answered:
        asking = asyncio.create_task(ask(gpt, story))
        await asyncio.to_thread(until, lambda: slots_in_use(gpt))
        await asyncio.sleep(0.5)
        os.kill(engine(gpt)["pid"], signal.SIGKILL)
        return await asking

    assert asyncio.run(killed()).error is not None
    record = until(lambda: broken_off(gpt)[before:])[0]
    told, said = why(gpt.directory, record["request_id"])
    assert (told["status"], told["ended"]) == (200, "broken off")
    happened = [event["what"] for event in told["way"]]
    assert "engine stopped" in happened
    assert happened[-1] == "broke off"
    assert "engine stopped" in said


def broken_off(gpt: GptService) -> list[dict[str, Any]]:
    return [one for one in gpt.running.records() if one.get("ended") == "broken off"]
