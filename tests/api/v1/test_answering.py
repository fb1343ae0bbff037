"""What happens around an engine's answer: callers that leave, streams that break, what is noted."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from typing import Any

import pytest
from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive

from plugin.api.leaving import while_there
from plugin.api.v1 import sse
from plugin.engines.engine import Ask, Events, Whole
from plugin.engines.scripted import Scripted, breaking_off
from plugin.messages import AnsweredBy, Usage
from tests.api.v1.scripted_doors import Doors
from tests.openai_schema import assert_reply, assert_stream

CHAT = "/v1/chat/completions"
HELLO = {"model": "gpt-4", "messages": [{"role": "user", "content": "Hello"}]}
STREAM = {**HELLO, "stream": True}


class Slow:
    """Answers when it is told to; says how it was stopped."""

    def __init__(self, *pieces: bytes) -> None:
        self.pieces = pieces
        self.go_on = asyncio.Event()
        self.asked = asyncio.Event()
        self.stopped = ""
        self.usage = Usage(prompt_tokens=3)

    async def answer(self, ask: Ask) -> Whole | Events:
        self.asked.set()
        if ask.stream:
            return Events(self._events(), AnsweredBy("slow"), self.usage)
        try:
            await self.go_on.wait()
        except asyncio.CancelledError:
            self.stopped = "before the answer"
            raise
        return Whole(b"{}", self.usage, AnsweredBy("slow"))

    async def _events(self) -> AsyncIterator[bytes]:
        try:
            for piece in self.pieces:
                self.usage.completion_tokens += 1
                yield piece
            await self.go_on.wait()
            yield b"data: [DONE]\n\n"
        finally:
            if not self.go_on.is_set():
                self.stopped = "within the answer"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (CHAT, HELLO),
        ("/v1/completions", {"model": "gpt-4"}),
        ("/v1/edits", {"model": "gpt-4", "instruction": "Say hello"}),
        ("/v1/embeddings", {"model": "text-embedding-ada-002", "input": "Hello"}),
    ],
)
async def test_the_engine_is_told_who_asks(path: str, body: dict[str, Any]) -> None:
    engine = Scripted()
    assert (await Doors(engine)("POST", path, body)).status == 200
    assert [ask.caller for ask in engine.asked] == ["key_all"]


async def settled() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_who_leaves_before_the_answer_stops_the_engine() -> None:
    engine = Slow()
    doors = Doors(engine)
    call, task = doors.begin("POST", CHAT, HELLO)
    await engine.asked.wait()
    call.hung_up.set()
    await task
    assert engine.stopped == "before the answer"
    assert call.messages == []
    assert doors.records[0]["ended"] == "caller left"
    assert doors.records[0]["status"] is None


async def test_who_leaves_within_a_stream_stops_the_engine() -> None:
    engine = Slow(b"data: 1\n\n", b"data: 2\n\n")
    doors = Doors(engine)
    call, task = doors.begin("POST", CHAT, STREAM)
    await settled()
    assert call.reply.body == b"data: 1\n\ndata: 2\n\n"
    assert not doors.records
    call.hung_up.set()
    await task
    assert engine.stopped == "within the answer"
    assert call.reply.body == b"data: 1\n\ndata: 2\n\n"
    record = doors.records[0]
    assert (record["ended"], record["status"]) == ("caller left", 200)
    assert (record["tokens_in"], record["tokens_out"]) == (3, 2)


async def test_pieces_are_passed_on_as_they_come() -> None:
    engine = Slow(b"data: 1\n", b"\ndata: 2\n\n")
    call, task = Doors(engine).begin("POST", CHAT, STREAM)
    await settled()
    assert [one["body"] for one in call.messages[1:]] == list(engine.pieces)
    engine.go_on.set()
    await task
    assert call.ended
    assert call.reply.body.endswith(b"data: [DONE]\n\n")
    assert engine.stopped == ""


async def test_an_error_after_the_first_byte_is_an_event() -> None:
    doors = Doors(Scripted(breaks=breaking_off(), events=2))
    call, task = doors.begin("POST", CHAT, STREAM)
    await task
    chunks = assert_stream(CHAT, call.reply.body, broken=True)
    assert len(chunks) == 3
    assert chunks[-1]["error"]["code"] == "engine_unavailable"
    assert call.ended
    assert doors.records[0]["ended"] == "broken off"
    assert doors.records[0]["tokens_out"] == 2


async def test_an_error_before_the_first_byte_is_an_answer_of_its_own() -> None:
    doors = Doors(Scripted(breaks=breaking_off(), events=0))
    reply = await doors("POST", CHAT, STREAM)
    assert reply.status == 503
    assert_reply(CHAT, "POST", reply.status, reply.body)
    assert doors.records[0]["status"] == 503


async def test_a_bug_within_a_stream_is_told_and_not_shown(
    caplog: pytest.LogCaptureFixture,
) -> None:
    reply = await Doors(Scripted(breaks=RuntimeError("secret detail")))("POST", CHAT, STREAM)
    chunks = assert_stream(CHAT, reply.body, broken=True)
    assert chunks[-1]["error"]["type"] == "server_error"
    assert b"secret detail" not in reply.body
    assert "secret detail" in caplog.text


async def test_an_error_within_an_event_begins_a_new_one() -> None:
    class Broken(Slow):
        async def _events(self) -> AsyncIterator[bytes]:
            yield b'data: {"id": '
            raise breaking_off()

    reply = await Doors(Broken())("POST", CHAT, STREAM)
    cut, error, rest = reply.body.split(b"\n\n")
    assert cut == b'data: {"id": '
    assert error.startswith(b'data: {"error":')
    assert rest == b""


async def test_a_service_that_stops_says_so_to_who_is_reading() -> None:
    engine = Slow(b"data: 1\n\n")
    doors = Doors(engine)
    call, task = doors.begin("POST", CHAT, STREAM)
    await settled()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert engine.stopped == "within the answer"
    assert call.ended
    assert b'data: {"error":' in call.reply.body
    assert doors.records[0]["ended"] == "broken off"
    assert doors.records[0]["tokens_out"] == 1


async def test_a_service_that_stops_stops_the_engine_too() -> None:
    engine = Slow()
    call, task = Doors(engine).begin("POST", CHAT, HELLO)
    await engine.asked.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert engine.stopped == "before the answer"
    assert call.messages == []


async def test_a_stream_that_begins_as_the_caller_leaves_is_stopped() -> None:
    class Stubborn(Slow):
        async def answer(self, ask: Ask) -> Whole | Events:
            self.asked.set()
            try:
                await self.go_on.wait()
            except asyncio.CancelledError:
                pieces = self._events()
                await anext(pieces)
                return Events(pieces, AnsweredBy("slow"), self.usage)
            return await super().answer(ask)

    engine = Stubborn(b"data: 1\n\n")
    call, task = Doors(engine).begin("POST", CHAT, STREAM)
    await engine.asked.wait()
    call.hung_up.set()
    await task
    assert engine.stopped == "within the answer"
    assert call.messages == []


async def test_who_leaves_at_the_very_end_cancels_nobody_else() -> None:
    """The news of it may come when the work is done, and must not hit what is done next."""
    gone, done = asyncio.Event(), asyncio.Event()

    async def receive() -> Message:
        await gone.wait()
        return {"type": "http.disconnect"}

    async def work() -> str:
        await done.wait()
        return "done"

    for first, second in ((done, gone), (gone, done)):
        gone.clear()
        done.clear()
        task = asyncio.ensure_future(_and_on(receive, work()))
        await asyncio.sleep(0.05)
        first.set()
        second.set()
        assert await task in {"done", "left"}


async def _and_on(receive: Receive, work: Awaitable[str]) -> str:
    try:
        found = await while_there(receive, work)
    except ClientDisconnect:
        found = "left"
    for _ in range(5):
        await asyncio.sleep(0)
    return found


async def test_a_service_that_stops_as_the_caller_leaves_stops() -> None:
    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def work() -> None:
        try:
            await asyncio.sleep(30)
        finally:
            await asyncio.sleep(0.05)

    task = asyncio.ensure_future(while_there(receive, work()))
    await asyncio.sleep(0.04)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_who_cannot_be_heard_any_more_has_left() -> None:
    async def receive() -> Message:
        raise ConnectionResetError

    with pytest.raises(ClientDisconnect):
        await while_there(receive, asyncio.sleep(30))


async def test_silence_is_filled_between_events(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "_SILENCE", 0.01)
    engine = Slow()
    call, task = Doors(engine).begin("POST", CHAT, STREAM)
    await asyncio.sleep(0.1)
    assert call.reply.status == 200
    assert call.reply.body.startswith(b": keep-alive\n\n")
    engine.go_on.set()
    await task
    assert call.reply.body.endswith(b": keep-alive\n\ndata: [DONE]\n\n")


async def test_silence_within_an_event_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "_SILENCE", 0.01)
    engine = Slow(b"data: 1")
    call, task = Doors(engine).begin("POST", CHAT, STREAM)
    await asyncio.sleep(0.05)
    assert call.reply.body == b"data: 1"
    call.hung_up.set()
    await task


async def test_a_reader_that_is_slow_holds_the_engine_back() -> None:
    engine = Slow(*(b"data: %d\n\n" % number for number in range(50)))
    call, task = Doors(engine).begin("POST", CHAT, STREAM)
    wait, plain = asyncio.Event(), call.send

    async def slowly(message: Any) -> None:
        await plain(message)
        if message.get("body") == b"data: 2\n\n":
            await wait.wait()

    call.send = slowly  # type: ignore[method-assign]
    await settled()
    assert engine.usage.completion_tokens == 3
    wait.set()
    engine.go_on.set()
    await task
    assert engine.usage.completion_tokens == 50


async def test_a_stream_without_events_is_an_empty_answer() -> None:
    class Empty(Slow):
        async def _events(self) -> AsyncIterator[bytes]:
            for piece in self.pieces:
                yield piece

    reply = await Doors(Empty())("POST", CHAT, STREAM)
    assert (reply.status, reply.body) == (200, b"")


async def test_nothing_is_left_behind() -> None:
    engine = Scripted()
    doors = Doors(engine)
    for body in (HELLO, STREAM, {**HELLO, "n": 0}):
        await doors("POST", CHAT, body)
    await settled()
    assert [task for task in asyncio.all_tasks() if task is not asyncio.current_task()] == []
