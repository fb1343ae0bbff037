"""The way to the engine: events however they are cut, waiting for it, and its ends."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from plugin.engines.llama.link import Link
from plugin.engines.llama.process.state import EngineState, StateFile, write_state
from plugin.errors import ContextLengthExceeded, EngineUnavailable, InvalidRequest
from plugin.outbound.client import GuardedClient
from tests.engines.llama.conftest import StandsIn
from tests.engines.llama.stand_in import (
    KEY,
    Answer,
    StandIn,
    answer_json,
    chat_events,
    queues,
    ready,
    refused,
    standing_in,
    too_long,
    until,
)
from tests.sizes import sized

CHAT = "/v1/chat/completions"
ASKED = {"messages": [], "stream": True}


async def texts(link: Link) -> list[str]:
    async with link.events(CHAT, ASKED) as events:
        choices = [event["choices"][0] async for event in events if event["choices"]]
    return [choice["delta"]["content"] for choice in choices if choice["delta"].get("content")]


async def test_a_json_answer(stand_in: StandsIn) -> None:
    server, link = await stand_in(lambda *_: answer_json({"tokens": [1, 2]}))
    assert await link.post("text", "/tokenize", {"content": "你好"}) == {"tokens": [1, 2]}
    assert server.asked == [("/tokenize", {"content": "你好"})]
    assert f"authorization: Bearer {KEY}".encode() in server.heads[0]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100, 10_000])
async def test_events_are_read_however_they_are_cut(stand_in: StandsIn, size: int) -> None:
    content = b"".join(chat_events("你好", " 😀", "a\n\nb"))
    pieces = [content[at : at + size] for at in range(0, len(content), size)]
    _, link = await stand_in(lambda *_: Answer(pieces=pieces))
    assert await texts(link) == ["你好", " 😀", "a\n\nb"]


async def test_comments_and_other_fields_are_no_events(stand_in: StandsIn) -> None:
    noise = [b": ping\r\n\r\n", b"event: x\nid: 3\n\n"]
    _, link = await stand_in(lambda *_: Answer(pieces=[*noise, *chat_events("yes")]))
    assert await texts(link) == ["yes"]


@pytest.mark.parametrize("cut", [True, False])
async def test_an_end_without_done_is_an_error(stand_in: StandsIn, *, cut: bool) -> None:
    _, link = await stand_in(lambda *_: Answer(pieces=chat_events("one", "two")[:2], cut=cut))
    with pytest.raises(EngineUnavailable, match="stopped while it answered") as caught:
        await texts(link)
    assert caught.value.headers == {"retry-after": "1"}


async def test_an_error_among_the_events(stand_in: StandsIn) -> None:
    told = b'data: {"error":{"code":500,"message":"out of luck","type":"server_error"}}\n\n'
    _, link = await stand_in(lambda *_: Answer(pieces=[*chat_events("one")[:2], told]))
    with pytest.raises(EngineUnavailable, match="out of luck"):
        await texts(link)


async def test_an_answer_that_is_no_json(stand_in: StandsIn) -> None:
    _, link = await stand_in(lambda *_: Answer(pieces=[b'{"data": [1, 2']))
    with pytest.raises(EngineUnavailable):
        await link.post("vectors", "/v1/embeddings", {})


@pytest.mark.parametrize(
    ("path", "param"),
    [(CHAT, "messages"), ("/v1/completions", "prompt"), ("/v1/embeddings", "input")],
)
async def test_too_long_is_told_in_openais_words(stand_in: StandsIn, path: str, param: str) -> None:
    _, link = await stand_in(lambda *_: too_long(3031, 2048))
    with pytest.raises(ContextLengthExceeded) as caught:
        await link.post("text", path, {})
    assert caught.value.detail == (
        "This model's maximum context length is 2048 tokens. However, your "
        f"{param} resulted in 3031 tokens. Please reduce the length of the {param}."
    )
    assert caught.value.param == param


async def test_what_the_engine_refuses_is_the_callers_side(stand_in: StandsIn) -> None:
    _, link = await stand_in(lambda *_: refused("Prompt contains invalid tokens"))
    with pytest.raises(InvalidRequest, match="Prompt contains invalid tokens"):
        await link.post("text", "/v1/completions", {})


async def test_a_failure_of_the_engine_is_ours(stand_in: StandsIn) -> None:
    _, link = await stand_in(lambda *_: Answer(500, [b"<html>"]))
    with pytest.raises(EngineUnavailable, match="status 500"):
        await link.post("text", "/v1/completions", {})


@pytest.mark.parametrize("phase", ["missing_models", "failed", "stopped"])
async def test_an_engine_that_will_not_come_is_not_waited_for(
    tmp_path: Path, client: GuardedClient, phase: Any
) -> None:
    file = tmp_path / "engine.json"
    write_state(file, EngineState(phase, "No model files: plugin models fetch."))
    link = Link(StateFile(file), client, queues=queues(1), patience=3600)
    with pytest.raises(EngineUnavailable, match="plugin models fetch") as caught:
        await link.post("text", "/tokenize", {})
    assert caught.value.headers == {"retry-after": "1"}


async def test_without_an_engine_it_says_how_to_start_one(
    tmp_path: Path, client: GuardedClient
) -> None:
    link = Link(StateFile(tmp_path / "engine.json"), client, queues=queues(1), patience=3600)
    with pytest.raises(EngineUnavailable, match="plugin serve"):
        await link.post("text", "/tokenize", {})


async def test_an_engine_that_starts_is_waited_for(tmp_path: Path, client: GuardedClient) -> None:
    file = tmp_path / "engine.json"
    write_state(file, EngineState("starting"))
    link = Link(StateFile(file), client, queues=queues(1))
    waiting = asyncio.ensure_future(link.post("text", "/tokenize", {}))
    await asyncio.sleep(0.05)
    assert not waiting.done()
    async with standing_in(lambda *_: answer_json("here")) as server:
        ready(file, server.url)
        assert await waiting == "here"


async def test_patience_ends_and_then_nobody_waits(tmp_path: Path, client: GuardedClient) -> None:
    file, now = tmp_path / "engine.json", [0.0]
    write_state(file, EngineState("restarting", "It is being restarted."))
    link = Link(StateFile(file), client, queues=queues(1), patience=10, clock=lambda: now[0])
    waiting = asyncio.ensure_future(link.post("text", "/tokenize", {}))
    await asyncio.sleep(0.03)
    now[0] = 9.0
    await asyncio.sleep(0.03)
    assert not waiting.done()
    now[0] = 10.1
    with pytest.raises(EngineUnavailable, match="being restarted"):
        await waiting
    with pytest.raises(EngineUnavailable):
        await link.post("text", "/tokenize", {})


async def test_who_waits_can_be_cancelled(tmp_path: Path, client: GuardedClient) -> None:
    file = tmp_path / "engine.json"
    write_state(file, EngineState("starting"))
    waiting = asyncio.ensure_future(
        Link(StateFile(file), client, queues=queues(1)).post("text", "/tokenize", {})
    )
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_a_dead_engine_is_waited_for_until_another_is_there(
    tmp_path: Path, client: GuardedClient
) -> None:
    file = tmp_path / "engine.json"
    async with standing_in(lambda *_: answer_json("old")) as old:
        ready(file, old.url)
    link = Link(StateFile(file), client, queues=queues(1))
    waiting = asyncio.ensure_future(link.post("text", "/tokenize", {}))
    await asyncio.sleep(0.05)
    assert not waiting.done()
    async with standing_in(lambda *_: answer_json("new")) as new:
        ready(file, new.url, restarts=1)
        assert await waiting == "new"
        assert len(new.asked) == 1


async def test_a_server_that_still_loads_is_asked_again(stand_in: StandsIn) -> None:
    answers = [answer_json({"error": {"code": 503, "message": "Loading model"}}, 503)] * 2
    server, link = await stand_in(lambda *_: answers.pop() if answers else answer_json("up"))
    assert await link.post("text", "/tokenize", {}) == "up"
    assert len(server.asked) == 3


async def test_leaving_hangs_up(stand_in: StandsIn) -> None:
    server, link = await stand_in(lambda *_: Answer(pieces=chat_events("a", "b")[:2], silent=True))
    async with link.events(CHAT, ASKED) as events:
        async for _ in events:
            break
    await until_all_gone(server, 1)


async def test_cancelling_hangs_up(stand_in: StandsIn) -> None:
    server, link = await stand_in(lambda *_: Answer(pieces=chat_events("a", "b")[:2], silent=True))
    reading = asyncio.ensure_future(texts(link))
    await until(lambda: bool(server.asked))
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    await until_all_gone(server, 1)


async def test_no_more_than_its_share_is_with_the_engine(stand_in: StandsIn) -> None:
    server, link = await stand_in(lambda *_: Answer(silent=True))
    asking = [asyncio.ensure_future(texts(link)) for _ in range(20)]
    await until(lambda: len(server.asked) == 8)
    await asyncio.sleep(0.05)
    assert server.most_open == 8
    for one in asking:
        one.cancel()
    await asyncio.gather(*asking, return_exceptions=True)
    await until_all_gone(server, 8)
    assert len(server.asked) == 8


async def until_all_gone(server: StandIn, gone: int) -> None:
    await until(lambda: server.gone == gone and not server.open)


async def test_the_real_engine_stops_within_a_second_of_hanging_up(real_link: Link) -> None:
    body = {"prompt": "Once", "max_tokens": 2000, "stream": True, "ignore_eos": True}
    async with real_link.events("/v1/completions", body) as events:
        async for _ in events:
            break
    await until_all_free(real_link, sized(5, 1))


async def until_all_free(link: Link, seconds: float) -> None:
    async with asyncio.timeout(seconds):
        while await working(link):  # noqa: ASYNC110 - the engine sets no event
            await asyncio.sleep(0.05)


async def working(link: Link) -> bool:
    """Whether the real engine is at work in any of its slots."""
    state = link._state.read()
    key = (b"authorization", f"Bearer {state.key}".encode())
    async with link._client.stream("GET", str(state.text), "/slots", headers=[key]) as answer:
        slots = json.loads(b"".join([piece async for piece in answer.pieces]))
    return any(slot["is_processing"] for slot in slots)


async def test_the_real_engine_stops_while_it_reads_the_prompt(real_link: Link) -> None:
    long = "apple tree " * 900
    body = {"prompt": long, "max_tokens": 1, "stream": True, "return_progress": True}
    async with real_link.events("/v1/completions", body) as events:
        async for event in events:
            if event["prompt_progress"]["processed"]:
                break
    await until_all_free(real_link, sized(3, 1))


async def test_fifty_who_leave_leave_every_slot_free(real_link: Link) -> None:
    body = {"prompt": "Once", "max_tokens": 400, "stream": True, "return_progress": True}

    async def ask() -> None:
        async with real_link.events("/v1/completions", body) as events:
            async for _ in events:
                pass

    asking = [asyncio.ensure_future(ask()) for _ in range(50)]
    for place, one in enumerate(asking):
        await asyncio.sleep(0.01 * (place % 3))
        one.cancel()
    await asyncio.gather(*asking, return_exceptions=True)
    # each of them may have had a place, and a step of decoding, before it was missed
    await until_all_free(real_link, 10)
    short = {"prompt": "Once", "max_tokens": 2}
    assert (await real_link.post("text", "/v1/completions", short))["usage"]["prompt_tokens"] == 1
