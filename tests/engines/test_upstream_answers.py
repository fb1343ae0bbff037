"""What upstreams that are not OpenAI answer, and what the caller gets: whole and streamed.

Each case is tried with one address, and with a second one behind it.
"""

import json
from dataclasses import dataclass
from typing import Any

import pytest

from plugin.engines.engine import Whole
from plugin.engines.fallback import Fallback
from plugin.engines.upstream_words import said
from plugin.errors import EngineUnavailable, PluginError, UpstreamRefused
from tests.engines.scripted_upstream import (
    DONE,
    KEY,
    ask,
    chunk,
    counted,
    cut,
    engine,
    events,
    reply,
    upstream,
    whole,
)
from tests.engines.test_upstream_stream import broken_off

ROLE = chunk(choices=[{"index": 0, "delta": {"role": "assistant", "content": ""}}])
TEXT = chunk(text="half")
END = chunk(choices=[{"index": 0, "delta": {}, "finish_reason": "stop"}])
GOOD = events(ROLE, TEXT, END, DONE)


def event(value: Any) -> bytes:
    return b"data: " + json.dumps(value).encode() + b"\n\n"


CONTEXT = {"error": {"code": 400, "message": "context size", "type": "invalid_request_error"}}
MEMORY = {"object": "error", "message": "out of memory", "type": "InternalServerError", "code": 500}
STOPPED = {"error": "model runner has stopped"}
PAGE = b"<html><head><title>Bad &amp; worse</title></head><body>x</body></html>"


@dataclass(frozen=True)
class Case:
    """What comes, and the status and words that the caller hears when nobody else can be asked."""

    play: Any
    status: int
    words: str
    stream: bool = True


INSTEAD = {
    "an error with a code": Case(events(event(CONTEXT), DONE), 400, "context size"),
    "an error after the role": Case(events(ROLE, event(MEMORY), DONE), 502, "out of memory"),
    "an error object": Case(events(event(MEMORY), DONE), 502, "out of memory"),
    "an error text": Case(events(event(STOPPED)), 502, "model runner has stopped"),
    "a list": Case(events(event({"error": [{"message": "one of many"}]})), 502, "one of many"),
    "an error event": Case(events(b"event: error\n" + event({"detail": "gone"})), 502, "gone"),
    "a page": Case(whole(PAGE, kind="text/html"), 502, "Bad & worse"),
    "a page that claims to be events": Case(events(PAGE), 502, "Bad & worse"),
    "plain text": Case(whole(b"no such thing", kind="text/plain"), 502, "no such thing"),
    "JSON with an error": Case(whole(STOPPED), 502, "model runner has stopped"),
    "too many": Case(events(event({"error": {"code": 429, "message": "slow down"}})), 429, "slow"),
    "overloaded": Case(events(event({"error": {"type": "overloaded_error"}})), 503, "failed"),
    "whole: an error text": Case(whole(STOPPED), 502, "model runner has stopped", stream=False),
    "whole: an error object": Case(whole(MEMORY), 502, "out of memory", stream=False),
    "whole: an error with a code": Case(whole(CONTEXT), 400, "context size", stream=False),
    "whole: FastAPI's detail": Case(whole({"detail": "gone"}), 502, "gone", stream=False),
    "whole: without choices": Case(whole({"id": "x"}), 502, "without `choices`", stream=False),
    "whole: a page": Case(whole(PAGE, kind="text/html"), 502, "Bad & worse", stream=False),
    "whole: text": Case(whole(b"no such thing"), 502, "no such thing", stream=False),
}


async def refusal(far: Any, *, stream: bool) -> PluginError:
    with pytest.raises(PluginError) as caught:
        await far.answer(ask(stream=stream))
    return caught.value


@pytest.mark.parametrize("case", INSTEAD.values(), ids=list(INSTEAD))
async def test_an_error_under_status_200_is_an_error(case: Case) -> None:
    async with upstream(case.play) as there, engine(there.url, retries=0) as far:
        told = await refusal(far, stream=case.stream)
    assert isinstance(told, UpstreamRefused | EngineUnavailable)
    assert told.status == case.status
    assert case.words in told.detail
    assert "far" in told.detail


@pytest.mark.parametrize("case", INSTEAD.values(), ids=list(INSTEAD))
async def test_the_next_address_is_asked_before_the_caller_hears_of_it(case: Case) -> None:
    good = GOOD if case.stream else whole(reply(text="near"))
    async with (
        upstream(case.play) as there,
        upstream(good) as here,
        engine(there.url, retries=0) as far,
        engine(here.url, name="near") as near,
    ):
        answer = await Fallback([far, near]).answer(ask(stream=case.stream))
        if isinstance(answer, Whole):
            assert b"near" in answer.body
        else:
            assert b"".join([piece async for piece in answer.pieces]) == ROLE + TEXT + END + DONE
    assert answer.answered_by.provider == "near"


async def test_an_error_after_content_ends_the_stream_as_one() -> None:
    play = events(ROLE, TEXT, event(MEMORY), DONE)
    async with upstream(play) as there, engine(there.url) as far:
        answer = await far.answer(ask(stream=True))
        assert not isinstance(answer, Whole)
        came, told = await broken_off(answer.pieces)
    assert came == ROLE + TEXT
    assert isinstance(told, UpstreamRefused)
    assert "out of memory" in told.detail


@pytest.mark.parametrize("ends", [True, False])
async def test_a_stream_is_complete_when_its_choices_are(*, ends: bool) -> None:
    play = events(ROLE, TEXT, END, counted(), pause=0.01, ends=ends)
    async with upstream(play) as there, engine(there.url) as far:
        answer = await far.answer(ask(stream=True, stream_options={"include_usage": True}))
        assert not isinstance(answer, Whole)
        came = b"".join([piece async for piece in answer.pieces])
        assert far.breaker.state == "closed"
    assert came == ROLE + TEXT + END + counted() + DONE
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (7, 3)


async def test_of_two_choices_one_is_not_enough() -> None:
    async with upstream(events(ROLE, TEXT, END)) as there, engine(there.url) as far:
        answer = await far.answer(ask(stream=True, n=2))
        assert not isinstance(answer, Whole)
        _, told = await broken_off(answer.pieces)
    assert isinstance(told, UpstreamRefused)
    assert "before it was complete" in told.detail


EXTRA = {"detail": [{"type": "extra_forbidden", "loc": ["body", "stream_options"], "msg": "no"}]}


@pytest.mark.parametrize(
    "refused",
    [
        whole({"object": "error", "message": EXTRA}, status=422),
        whole({"error": {"message": "unknown parameter"}}, status=400),
        whole(b"Unknown field", status=422, kind="text/plain"),
    ],
)
async def test_what_we_add_never_makes_a_call_fail(refused: Any) -> None:
    async with upstream(refused, GOOD, GOOD) as there, engine(there.url) as far:
        for _ in range(2):
            answer = await far.answer(ask(stream=True))
            assert not isinstance(answer, Whole)
            assert b"".join([piece async for piece in answer.pieces]).endswith(DONE)
            assert answer.usage.completion_tokens == 1, "counted here"
    assert ["stream_options" in one.json for one in there.requests] == [True, False, False]


async def test_a_wrong_request_stays_wrong_and_what_we_add_stays() -> None:
    wrong = whole({"error": {"message": "bad"}}, status=400)
    async with upstream(wrong, wrong, GOOD) as there, engine(there.url) as far:
        assert (await refusal(far, stream=True)).detail == "bad"
        await far.answer(ask(stream=True))
    assert ["stream_options" in one.json for one in there.requests] == [True, False, True]


REFUSALS = [
    (422, b"Failed to read the JSON body: messages[0]: a string is expected", 400, "a string is"),
    (400, b'[{"error": {"code": 400, "message": "Unknown name"}}]', 400, "Unknown name"),
    (402, b'{"error": {"message": "Insufficient Balance"}}', 502, "Insufficient Balance"),
    (404, b"404 page not found", 502, "404 page not found"),
    (403, b'{"error": {"message": "not for you"}}', 502, "not for you"),
    (500, b'{"error": "CUDA error"}', 502, "CUDA error"),
    (400, b'{"error": {"message": "died", "type": "server_error"}}', 502, "died"),
    (429, b'{"message": "too fast"}', 429, "too fast"),
    (400, b'{"fault": {"faultstring": "quota"}}', 400, "quota"),
]


@pytest.mark.parametrize(("status", "body", "becomes", "words"), REFUSALS)
async def test_a_refusal_keeps_its_words(
    status: int, body: bytes, becomes: int, words: str
) -> None:
    async with upstream(whole(body, status=status)) as there, engine(there.url, retries=0) as far:
        told = await refusal(far, stream=False)
    assert (told.status, words in told.detail, "far" in told.detail) == (becomes, True, True)


@pytest.mark.parametrize("status", [401, 402, 403, 404])
async def test_what_is_the_addresss_fault_goes_to_the_next(status: int) -> None:
    async with (
        upstream(whole(b"no", status=status)) as there,
        upstream(whole(reply(text="near"))) as here,
        engine(there.url) as far,
        engine(here.url, name="near") as near,
    ):
        answer = await Fallback([far, near]).answer(ask())
    assert answer.answered_by.provider == "near"


async def test_who_is_to_pay_is_said() -> None:
    async with upstream(whole(b"{}", status=402)) as there, engine(there.url) as far:
        told = await refusal(far, stream=False)
    assert "account at the upstream far has to be paid" in told.detail


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (None, (2, 10)),
        ({"prompt_tokens": 0, "completion_tokens": 0}, (2, 10)),
        ({"prompt_tokens": 7.0, "completion_tokens": 3.2}, (7, 4)),
        ({"total_tokens": 12}, (2, 10)),
        ({"total_tokens": 12, "completion_tokens": 5}, (7, 5)),
        ({"prompt_tokens": True, "completion_tokens": "9"}, (2, 10)),
        ({"input_tokens": 7, "output_tokens": 3}, (7, 3)),
    ],
)
async def test_tokens_are_counted_whatever_the_upstream_tells(
    usage: Any, expected: tuple[int, int]
) -> None:
    play = whole(reply(text="a" * 40, usage=usage))
    async with upstream(play) as there, engine(there.url) as far:
        answer = await far.answer(ask())
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == expected


@pytest.mark.parametrize("bad", [cut, events(ROLE, ends=False)])
async def test_nothing_is_told_before_content_came(bad: Any) -> None:
    async with (
        upstream(bad) as there,
        upstream(GOOD) as here,
        engine(there.url, retries=0) as far,
        engine(here.url, name="near") as near,
    ):
        answer = await Fallback([far, near]).answer(ask(stream=True))
        assert not isinstance(answer, Whole)
        assert b"".join([piece async for piece in answer.pieces]) == ROLE + TEXT + END + DONE


def test_secrets_are_hidden_and_long_words_cut() -> None:
    body = json.dumps({"error": {"message": f"key {KEY} and Bearer abcdefghij " + "x" * 900}})
    found = said(body.encode(), KEY)
    assert KEY not in found.message
    assert "abcdefghij" not in found.message
    assert len(found.message) == 500
    assert said(b"sk-1234567890 was wrong").message == "[secret] was wrong"
    assert "eyJ" not in said(b"token eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc refused").message
