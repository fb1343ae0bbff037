"""Limits at the doors: headers, refusals in both forms, and a call that ends is settled once."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from fastapi import APIRouter

from plugin.api.limit_headers import limit_headers
from plugin.engines.engine import Ask, Events, Whole
from plugin.engines.scripted import Scripted, breaking_off
from plugin.errors import EngineUnavailable
from plugin.gate.counters.protocol import Level
from plugin.gate.limits import Limit, Limits
from plugin.gate.prices import Prices
from plugin.gate.queue import Room
from plugin.gate.refusals import Standing
from plugin.messages import AnsweredBy, Usage
from plugin.operations import Arguments, operation
from tests.api.v1.scripted_doors import Doors
from tests.conftest import Gate as Layers
from tests.gate.gates import Notes, gate_with
from tests.openai_schema import assert_reply

CHAT = "/v1/chat/completions"
HELLO: dict[str, Any] = {"model": "gpt-4", "messages": [{"role": "user", "content": "Hello"}]}
STREAM = {**HELLO, "stream": True}
MINUTE = Limit("key", "*", "requests", "minute", 2)
TOKENS = Limit("key", "*", "tokens", "minute", 10_000)


def standing(*limits: Limit, levels: list[Level]) -> Standing:
    plan = Limits(limits, Prices(), "2026-11").at_model("k", "a", "m")
    return Standing(plan, levels)


def told(headers: list[tuple[bytes, bytes]]) -> dict[str, str]:
    return {name.decode(): value.decode() for name, value in headers}


def test_without_limits_openai_clients_read_the_greatest_numbers() -> None:
    assert told(limit_headers((), openai=False)) == {}
    headers = told(limit_headers((), openai=True))
    assert len(headers) == 6
    assert headers["x-ratelimit-remaining-tokens"] == "2147483647"
    assert headers["x-ratelimit-reset-requests"] == "0s"


def test_the_tightest_limit_is_the_one_of_openai_and_all_are_those_of_the_draft() -> None:
    day = Limit("model", "*", "tokens", "day", 50)
    met = standing(day, TOKENS, levels=[Level(49, 86_399.2), Level(9_000, 0.25)])
    headers = told(limit_headers([met], openai=False))
    assert headers == {
        "ratelimit-policy": '"model-tokens-day";q=50;w=86400;qu="tokens", '
        '"key-tokens-minute";q=10000;w=60;qu="tokens"',
        "ratelimit": '"model-tokens-day";r=49;t=86400, "key-tokens-minute";r=9000;t=1',
        "x-ratelimit-limit-tokens": "50",
        "x-ratelimit-remaining-tokens": "49",
        "x-ratelimit-reset-tokens": "24h0m0s",
    }


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0, "0s"), (0.0304, "31ms"), (1.0, "1s"), (59.5, "1m0s"), (360, "6m0s"), (3601, "1h0m1s")],
)
def test_durations_are_written_as_openai_does(seconds: float, text: str) -> None:
    met = standing(TOKENS, levels=[Level(1, seconds)])
    assert told(limit_headers([met], openai=True))["x-ratelimit-reset-tokens"] == text


router = APIRouter()


class Note(Arguments):
    """A note."""

    text: str


@router.post("/notes", operation_id="add_note")
@operation(scope="notes:write")
async def add_note(note: Note) -> dict[str, str]:
    """Add one."""
    if note.text == "bug":
        raise RuntimeError(note.text)
    return {"text": note.text}


async def test_an_operation_answers_429_as_a_problem(
    gate: Callable[..., Layers], tmp_path: Path
) -> None:
    with gate_with(tmp_path, MINUTE) as (limits, book):
        call = gate(router, admit=limits.admit)
        good = [await call("POST", "/notes", body={"text": "x"}) for _ in range(2)]
        refused = await call("POST", "/notes", body={"text": "x"})
        other = await call("POST", "/notes", body={"text": "x"}, key="reader")
    assert [one.status for one in good] == [200, 200]
    assert good[0].headers["ratelimit"].startswith('"key-requests-minute";r=1;t=6')
    assert good[0].headers["x-ratelimit-limit-requests"] == "2"
    assert "x-ratelimit-limit-tokens" not in good[0].headers
    assert (refused.status, refused.headers["content-type"]) == (429, "application/problem+json")
    assert refused.json["code"] == "rate_limit_exceeded"
    assert refused.json["type"] == "urn:gpt-plugin:problem:rate_limit_exceeded"
    assert "plugin limits set requests 4 --per minute --key key_all" in refused.json["detail"]
    assert refused.headers["x-ratelimit-remaining-requests"] == "0"
    assert refused.headers["ratelimit"].startswith('"key-requests-minute";r=0;t=')
    assert re.fullmatch(r"6[01]|59", refused.headers["retry-after"])
    assert refused.headers["retry-after-ms"].isdigit()
    assert other.status == 403  # who may not is not counted
    assert len(book.opened_calls) == len(book.settled_calls) == 2
    assert book.opened_calls[1].door == "rest"


async def test_the_gpt_api_answers_429_in_openais_form(tmp_path: Path) -> None:
    with gate_with(tmp_path, MINUTE, TOKENS) as (limits, book):
        doors = Doors(admit=limits.admit)
        good = await doors("POST", CHAT, {**HELLO, "max_tokens": 100})
        await doors("POST", CHAT, {**HELLO, "max_tokens": 100})
        refused = await doors("POST", CHAT, HELLO)
        await doors("GET", "/v1/models", authorization="Bearer nobody")
    assert good.status == 200
    assert good.headers["x-ratelimit-limit-requests"] == "2"
    assert good.headers["x-ratelimit-remaining-requests"] == "1"
    assert good.headers["x-ratelimit-limit-tokens"] == "10000"
    assert 9_000 < int(good.headers["x-ratelimit-remaining-tokens"]) < 9_900
    assert_reply(CHAT, "POST", refused.status, refused.body)
    error = refused.json["error"]
    assert (refused.status, error["type"], error["code"]) == (
        *(429, "requests", "rate_limit_exceeded"),
    )
    assert refused.headers["x-ratelimit-remaining-requests"] == "0"
    assert refused.headers["x-ratelimit-reset-requests"].startswith(("1m", "59s"))
    assert len(book.settled_calls) == 2
    call, outcome = book.settled_calls[0][1:]
    assert (call.door, call.action, call.model) == ("gpt", "create_chat_completion", "scripted")
    assert (outcome.tokens_in, outcome.tokens_out) == (1, 6)


async def test_too_many_tokens_are_refused_before_the_engine_is_asked(tmp_path: Path) -> None:
    engine = Scripted()
    with gate_with(tmp_path, TOKENS) as (limits, book):
        doors = Doors(engine, admit=limits.admit)
        refused = await doors("POST", CHAT, {**STREAM, "n": 3})
    assert refused.status == 429
    error = refused.json["error"]
    assert (error["type"], error["code"]) == ("tokens", "rate_limit_exceeded")
    assert refused.headers["x-ratelimit-remaining-tokens"] == "10000"
    assert refused.headers["x-should-retry"] == "false"
    assert engine.asked == []
    assert book.only[1].status == 429


class Hanging:
    """Answers two pieces, or nothing, and waits."""

    def __init__(self) -> None:
        self.go_on = asyncio.Event()
        self.waits = asyncio.Event()

    async def answer(self, ask: Ask) -> Whole | Events:
        usage = Usage(prompt_tokens=3)
        if ask.stream:
            return Events(self._events(usage), AnsweredBy("hanging"), usage)
        self.waits.set()
        await self.go_on.wait()
        return Whole(b"{}", usage, AnsweredBy("hanging"))

    async def _events(self, usage: Usage) -> AsyncIterator[bytes]:
        for _ in range(2):
            usage.completion_tokens += 1
            yield b"data: {}\n\n"
        self.waits.set()
        await self.go_on.wait()
        yield b"data: [DONE]\n\n"


def ended(book: Notes) -> tuple[int | None, str, int, int]:
    _, outcome = book.only
    return outcome.status, outcome.ended, outcome.tokens_in, outcome.tokens_out


@pytest.mark.parametrize(
    ("engine", "body", "expected"),
    [
        (Scripted(), HELLO, (200, "whole", 1, 6)),
        (Scripted(), STREAM, (200, "whole", 1, 6)),
        (Scripted(breaks=breaking_off(), events=2), STREAM, (200, "broken off", 1, 2)),
        (Scripted(breaks=breaking_off(), events=0), STREAM, (503, "whole", 1, 0)),
        (Scripted(refuses=EngineUnavailable("Gone.")), HELLO, (503, "whole", 0, 0)),
        (Scripted(refuses=RuntimeError("A bug.")), HELLO, (500, "whole", 0, 0)),
        (Scripted(), {**HELLO, "messages": []}, (400, "whole", 0, 0)),
        (Scripted(), {**HELLO, "model": "gpt-9"}, (404, "whole", 0, 0)),
    ],
)
async def test_every_ending_is_settled_once_before_the_last_byte(
    tmp_path: Path, engine: Scripted, body: Any, expected: tuple[int | None, str, int, int]
) -> None:
    with gate_with(tmp_path) as (limits, book):
        call, task = Doors(engine, admit=limits.admit).begin("POST", CHAT, body)
        inner, known = call.send, list[int]()

        async def send(message: Any) -> None:
            known.append(len(book.settled_calls))
            await inner(message)

        call.send = send  # type: ignore[method-assign]
        await task
        assert ended(book) == expected
        assert known[-1] == 1
        done = [b"[DONE]" in message.get("body", b"") for message in call.messages]
        assert all(settled for settled, last in zip(known, done, strict=True) if last)
        assert (
            limits.counters.level(limits.limits.at_admission("key_all", "x").takes[0]).left == 256
        )


@pytest.mark.parametrize(
    ("body", "expected"),
    [(HELLO, (None, "caller left", 0, 0)), (STREAM, (200, "caller left", 3, 2))],
)
async def test_a_caller_that_leaves_is_settled_once(
    tmp_path: Path, body: Any, expected: tuple[int | None, str, int, int]
) -> None:
    with gate_with(tmp_path) as (limits, book):
        engine = Hanging()
        call, task = Doors(engine, admit=limits.admit).begin("POST", CHAT, body)
        await engine.waits.wait()
        assert not book.settled_calls
        call.hung_up.set()
        await task
        assert ended(book) == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [(HELLO, (None, "broken off", 0, 0)), (STREAM, (200, "broken off", 3, 2))],
)
async def test_a_service_that_stops_settles_what_is_under_way(
    tmp_path: Path, body: Any, expected: tuple[int | None, str, int, int]
) -> None:
    with gate_with(tmp_path) as (limits, book):
        engine = Hanging()
        _, task = Doors(engine, admit=limits.admit).begin("POST", CHAT, body)
        await engine.waits.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert ended(book) == expected


async def test_an_operation_with_a_bug_is_settled_once(
    gate: Callable[..., Layers], tmp_path: Path
) -> None:
    with gate_with(tmp_path) as (limits, book):
        reply = await gate(router, admit=limits.admit)("POST", "/notes", body={"text": "bug"})
        assert reply.status == 500
        assert ended(book) == (500, "whole", 0, 0)


async def test_by_setting_a_request_waits_and_then_gets_its_body(tmp_path: Path) -> None:
    one = Limit("key", "*", "concurrent", "none", 1)
    with gate_with(tmp_path, one, room=Room(5, 5)) as (limits, book):
        engine = Hanging()
        doors = Doors(engine, admit=limits.admit)
        first, task = doors.begin("POST", CHAT, HELLO)
        await engine.waits.wait()
        second, waiting = doors.begin("POST", CHAT, STREAM)
        await asyncio.sleep(0.02)
        assert len(book.opened_calls) == 1
        engine.go_on.set()
        await task
        await waiting
    assert first.reply.status == second.reply.status == 200
    assert second.reply.body.endswith(b"data: [DONE]\n\n")
    assert len(book.settled_calls) == 2


async def test_who_leaves_while_waiting_takes_nothing(tmp_path: Path) -> None:
    one = Limit("key", "*", "concurrent", "none", 1)
    with gate_with(tmp_path, one, room=Room(5, 5)) as (limits, book):
        engine = Hanging()
        doors = Doors(engine, admit=limits.admit)
        _, task = doors.begin("POST", CHAT, HELLO)
        await engine.waits.wait()
        second, waiting = doors.begin("POST", CHAT, HELLO)
        await asyncio.sleep(0.02)
        second.hung_up.set()
        await waiting
        assert second.messages == []
        engine.go_on.set()
        await task
        assert len(book.opened_calls) == 1
        assert limits.counters.level(limits.limits.at_admission("key_all", "x").takes[0]).left == 1
