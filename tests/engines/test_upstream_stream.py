import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugin.engines.engine import Ask, Events
from plugin.engines.upstream import Upstream
from plugin.engines.upstream_answer import Edited
from plugin.errors import PluginError, UpstreamRefused
from plugin.messages import Usage
from tests.engines.scripted_upstream import (
    DONE,
    EVENTS,
    ask,
    chunk,
    counted,
    cut,
    engine,
    error,
    events,
    hangs,
    upstream,
)

FIRST, SECOND = chunk(text="one"), chunk(text='"model": "small" 你 [DONE] "usage": {')
ASKED: dict[str, Any] = {"stream": True, "stream_options": {"include_usage": True}}
ODD_LINES = b": a comment\n\nevent: ping\r\ndata: x\r\n\r\n" + FIRST.replace(b"\n", b"\r\n")


async def begun(far: Upstream, request: Ask) -> Events:
    answer = await far.answer(request)
    assert isinstance(answer, Events)
    return answer


async def drained(pieces: AsyncIterator[bytes]) -> bytes:
    return b"".join([piece async for piece in pieces])


async def broken_off(pieces: AsyncIterator[bytes]) -> tuple[bytes, PluginError]:
    """What came, and the error that came then."""
    came = b""
    try:
        async for piece in pieces:
            came += piece
    except PluginError as told:
        return came, told
    raise AssertionError("it ended as if nothing had happened")


async def test_a_stream_is_passed_on_as_read() -> None:
    there_is = [FIRST, SECOND, counted(), DONE]
    async with upstream(events(*there_is)) as there, engine(there.url) as far:
        answer = await begun(far, ask(**ASKED))
        assert await drained(answer.pieces) == b"".join(there_is)
        assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (7, 3)
        assert (far.breaker.state, there.requests[0].headers["accept"]) == (
            "closed",
            "text/event-stream",
        )
        await drained((await begun(far, ask(**ASKED))).pieces)
    assert there.connections == 1, "the connection is used again"


@pytest.mark.parametrize("options", [{}, {"stream_options": {"include_usage": False}}])
async def test_usage_is_counted_for_a_caller_who_did_not_ask_and_does_not_see_it(
    options: dict[str, Any],
) -> None:
    async with upstream(events(FIRST, SECOND, counted(), DONE)) as there, engine(there.url) as far:
        answer = await begun(far, ask(stream=True, **options))
        assert await drained(answer.pieces) == FIRST + SECOND + DONE
        assert answer.usage.completion_tokens == 3
    assert there.requests[0].json["stream_options"] == {"include_usage": True}


async def test_only_the_one_event_is_taken_out() -> None:
    with_text = chunk(usage={"prompt_tokens": 1, "completion_tokens": 2})
    async with upstream(events(with_text, DONE)) as there, engine(there.url) as far:
        answer = await begun(far, ask(stream=True))
        assert await drained(answer.pieces) == with_text + DONE
    assert answer.usage == Usage(1, 2)


async def test_the_name_that_was_asked_for_stands_in_every_event() -> None:
    async with upstream(events(FIRST, SECOND, counted(), DONE)) as there, engine(there.url) as far:
        answer = await begun(far, ask(requested="gpt-4", **ASKED))
        came = await drained(answer.pieces)
    renamed = FIRST + SECOND + counted() + DONE
    assert came == renamed.replace(b'"model": "small"', b'"model": "gpt-4"')


@pytest.mark.parametrize("requested", ["small", "gpt-4"])
@pytest.mark.parametrize("stream", [FIRST + SECOND + counted() + DONE, ODD_LINES + DONE])
def test_pieces_may_be_cut_anywhere(requested: str, stream: bytes) -> None:
    def edited(*pieces: bytes) -> tuple[bytes, Usage, bool]:
        usage = Usage()
        one = Edited(ask(requested=requested), usage, "far", drops_usage=True)
        came = [one.add(piece) for piece in pieces]
        assert all(piece.endswith(b"\n") for piece in came if piece), "whole events alone"
        return b"".join(came), usage, one.done

    expected = edited(stream)
    assert expected[2]
    for place in range(1, len(stream)):
        assert edited(stream[:place], stream[place:]) == expected
    assert edited(*(stream[place : place + 1] for place in range(len(stream)))) == expected


@given(st.lists(st.binary(max_size=40), max_size=20))
def test_any_bytes_come_through_as_they_are(pieces: list[bytes]) -> None:
    one = Edited(ask(), Usage(), "far", drops_usage=False)
    came = b"".join(one.add(piece) for piece in pieces)
    whole = b"".join(pieces)
    assert whole.startswith(came)
    assert b"\n\n" not in whole[len(came) :]


async def test_a_last_line_without_its_end_is_an_end() -> None:
    last = b"data: [DONE]"
    async with upstream(events(FIRST, last)) as there, engine(there.url) as far:
        answer = await begun(far, ask(stream=True))
        assert await drained(answer.pieces) == FIRST + DONE


async def test_nothing_after_the_end_is_passed_on() -> None:
    async with upstream(events(FIRST, DONE + FIRST, FIRST)) as there, engine(there.url) as far:
        answer = await begun(far, ask(stream=True))
        assert await drained(answer.pieces) == FIRST + DONE


async def test_the_end_of_an_image_stream_is_known() -> None:
    done, usage = b"image_generation.completed", b'{"input_tokens": 4, "output_tokens": 5}'
    end = b'event: %s\ndata: {"type": "%s", "usage": %s}\n\n' % (done, done, usage)
    async with upstream(events(end)) as there, engine(there.url) as far:
        answer = await begun(far, ask("images/generations", stream=True))
        assert await drained(answer.pieces) == end
    assert answer.usage == Usage(4, 5)
    assert "stream_options" not in there.requests[0].json


@pytest.mark.parametrize(
    "play",
    [
        events(FIRST, SECOND),
        events(FIRST, SECOND, ends=False),
        events(FIRST, SECOND, b'data: {"id": "1", "cho'),
        events(FIRST, SECOND, b"data: [DON"),
    ],
)
async def test_a_stream_that_ends_early_is_never_a_silent_end(play: Any) -> None:
    async with upstream(play) as there, engine(there.url) as far:
        answer = await begun(far, ask(stream=True))
        came, told = await broken_off(answer.pieces)
    assert came == FIRST + SECOND
    assert isinstance(told, UpstreamRefused)
    assert told.answered[0] == 502
    assert len(there.requests) == 1, "nothing is asked twice after the first byte"


async def test_an_error_in_the_stream_is_raised_after_what_came() -> None:
    said = {"error": {"message": "out of memory", "type": "server_error", "code": "oom"}}
    stream = FIRST + b"data: " + json.dumps(said).encode() + b"\n\n" + DONE
    async with upstream(events(stream)) as there, engine(there.url) as far:
        answer = await begun(far, ask(stream=True))
        came, told = await broken_off(answer.pieces)
    assert came == FIRST
    assert isinstance(told, UpstreamRefused)
    assert told.answered == (502, "server_error", "oom")
    assert "out of memory" in told.detail


async def test_a_stream_that_falls_silent_is_given_up() -> None:
    async def stalls(writer: asyncio.StreamWriter) -> None:
        writer.write((EVENTS + "\r\n").encode() + b"%x\r\n%s\r\n" % (len(FIRST), FIRST))
        await hangs(writer)

    async with upstream(stalls) as there, engine(there.url, timeout=0.2) as far:
        answer = await begun(far, ask(stream=True))
        came, told = await broken_off(answer.pieces)
    assert came == FIRST
    assert isinstance(told, UpstreamRefused)
    assert told.answered[0] == 504


@pytest.mark.parametrize(
    "bad", [events(), events(ends=False), cut, error(500), events(b'data: {"error": {}}\n\n')]
)
async def test_a_stream_without_a_first_event_is_a_failed_call_and_tried_again(bad: Any) -> None:
    async with upstream(bad, events(FIRST, DONE)) as there, engine(there.url) as far:
        answer = await begun(far, ask(stream=True))
        assert await drained(answer.pieces) == FIRST + DONE
    assert len(there.requests) == 2


@pytest.mark.parametrize("taken", [0, 1])
async def test_a_caller_who_leaves_stops_the_upstream_within_a_second(taken: int) -> None:
    endless = events(*[FIRST] * 1000, pause=0.02)
    async with upstream(endless) as there, engine(there.url) as far:
        answer = await begun(far, ask(stream=True))
        for _ in range(taken):
            await anext(answer.pieces)
        close: Any = answer.pieces
        await close.aclose()
        await asyncio.wait_for(there.hung_up.wait(), 1)
        assert far.breaker.state == "closed"


@pytest.mark.parametrize("requested", ["small", "gpt-4"])
async def test_what_was_passed_on_counts_when_the_caller_leaves(requested: str) -> None:
    head, nothing = chunk(text=""), {"prompt_tokens": 9, "completion_tokens": 0}
    for begin, prompt in ((head, 2), (chunk(text="", usage=nothing), 9)):
        play = events(begin, *[FIRST] * 1000, pause=0.01)
        async with upstream(play) as there, engine(there.url) as far:
            answer = await begun(far, ask(requested=requested, stream=True))
            came = b"".join([await anext(answer.pieces) for _ in range(6)])
            close: Any = answer.pieces
            await close.aclose()
        assert came.count(b'"one"') == answer.usage.completion_tokens == 5
        assert answer.usage.prompt_tokens == prompt


async def test_a_stream_that_never_tells_is_counted_and_one_that_tells_is_believed() -> None:
    deltas: list[dict[str, Any]] = [
        {"role": "assistant", "content": ""},
        {"content": 'say "content": "x"'},
        {"reasoning_content": "hm"},
        {"tool_calls": [{"index": 0, "function": {"name": "f", "arguments": "{"}}]},
        {"content": None},
    ]
    told = [chunk(choices=[{"index": 0, "delta": delta}]) for delta in deltas]
    silent, telling = events(*told, DONE), events(*told, counted(), DONE)
    async with upstream(silent, telling) as there, engine(there.url) as far:
        for expected in (Usage(2, 3), Usage(7, 3)):
            answer = await begun(far, ask(stream=True))
            await drained(answer.pieces)
            assert answer.usage == expected


async def test_a_stream_that_breaks_off_counts_what_came() -> None:
    async with upstream(events(*[FIRST] * 4, ends=False)) as there, engine(there.url) as far:
        answer = await begun(far, ask(stream=True))
        await broken_off(answer.pieces)
    assert answer.usage == Usage(2, 4)


async def test_a_caller_who_leaves_in_the_middle_of_a_wait() -> None:
    async with upstream(events(FIRST, FIRST, DONE, pause=10)) as there, engine(there.url) as far:
        answer = await begun(far, ask(stream=True))
        task = asyncio.ensure_future(drained(answer.pieces))
        await asyncio.sleep(0.05)
        task.cancel()
        await asyncio.wait({task})
        close: Any = answer.pieces
        await close.aclose()
        await asyncio.wait_for(there.hung_up.wait(), 1)


async def test_a_caller_who_leaves_before_the_first_event() -> None:
    async def silent(writer: asyncio.StreamWriter) -> None:
        writer.write((EVENTS + "\r\n").encode())
        await hangs(writer)

    async with upstream(silent) as there, engine(there.url) as far:
        task = asyncio.ensure_future(far.answer(ask(stream=True)))
        await there.asked.wait()
        await asyncio.sleep(0.05)
        task.cancel()
        await asyncio.wait({task})
        await asyncio.wait_for(there.hung_up.wait(), 1)


async def test_an_upstream_waits_for_a_slow_caller() -> None:
    written = 0
    event = chunk(text="x" * 10_000)

    async def pours(writer: asyncio.StreamWriter) -> None:
        nonlocal written
        writer.write((EVENTS + "\r\n").encode())
        for _ in range(5000):
            writer.write(b"%x\r\n%s\r\n" % (len(event), event))
            await writer.drain()
            written += len(event)

    async with upstream(pours) as there, engine(there.url) as far:
        answer = await begun(far, ask(stream=True))
        await anext(answer.pieces)
        await asyncio.sleep(0.3)
        before = written
        await asyncio.sleep(0.2)
        assert before == written, "it is not read on"
        assert written < 25_000_000
        close: Any = answer.pieces
        await close.aclose()


async def test_a_packed_stream_is_unpacked_as_it_comes() -> None:
    packed = gzip.compress(FIRST + SECOND + DONE)
    pieces = [packed[place : place + 7] for place in range(0, len(packed), 7)]
    play = events(*pieces, headers="Content-Encoding: gzip\r\n")
    async with upstream(play) as there, engine(there.url) as far:
        answer = await begun(far, ask(stream=True))
        assert await drained(answer.pieces) == FIRST + SECOND + DONE


@pytest.mark.parametrize("rest", [b"", b"more that is not packed"])
async def test_what_goes_wrong_after_the_last_event_is_no_error(rest: bytes) -> None:
    packed = gzip.compress(FIRST + DONE) if rest else gzip.compress(FIRST + DONE)[:-4]
    play = events(packed, *[rest] * bool(rest), headers="Content-Encoding: gzip\r\n", pause=0.01)
    async with upstream(play) as there, engine(there.url) as far:
        answer = await begun(far, ask(stream=True))
        assert await drained(answer.pieces) == FIRST + DONE
