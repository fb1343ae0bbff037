import asyncio
import gzip
import json
import zlib
from dataclasses import replace
from typing import Any

import pytest

from plugin.engines import upstream as upstreams
from plugin.engines.engine import Ask, Events, Upload, Whole
from plugin.engines.upstream import Upstream
from plugin.errors import EngineUnavailable, PluginError, UpstreamRefused
from tests.engines.scripted_upstream import (
    DONE,
    KEY,
    USAGE,
    ask,
    chunk,
    engine,
    error,
    events,
    hangs,
    reply,
    upstream,
    whole,
)


async def answered(far: Upstream, request: Ask) -> Whole:
    answer = await far.answer(request)
    assert isinstance(answer, Whole)
    return answer


async def refused(far: Upstream, request: Ask | None = None) -> UpstreamRefused:
    with pytest.raises(UpstreamRefused) as caught:
        await far.answer(request or ask())
    return caught.value


def counts(answer: Whole | Events) -> tuple[int, int]:
    return answer.usage.prompt_tokens, answer.usage.completion_tokens


async def test_a_request_goes_out_under_the_engines_name_and_its_bytes_come_back() -> None:
    body = json.dumps(reply(), indent=1).encode()
    async with upstream(whole(body)) as there, engine(there.url) as far:
        answer = await answered(far, ask(temperature=0.5, future_thing={"a": [1]}))
    assert answer.body == body
    assert counts(answer) == (7, 3)
    assert str(answer.answered_by) == "small; engine=far"
    (sent,) = there.requests
    assert sent.line == "POST /v1/chat/completions HTTP/1.1"
    assert sent.json["model"] == "small"
    assert sent.json["future_thing"] == {"a": [1]}
    assert sent.json["messages"][0]["content"] == "héllo"


async def test_the_answer_says_the_name_that_was_asked_for_and_nothing_else_changes() -> None:
    tricky = reply(
        "small-2026-01-01", text='"model": "small" \\" {[ \u1234', model_info={"model": 1}
    )
    tricky["choices"][0]["message"]["model"] = "inner"
    body = json.dumps(tricky).encode()
    async with upstream(whole(body)) as there, engine(there.url) as far:
        answer = await answered(far, ask(requested="gpt-4"))
    assert answer.body == body.replace(b'"model": "small-2026-01-01"', b'"model": "gpt-4"')
    assert json.loads(answer.body) == {**tricky, "model": "gpt-4"}
    assert there.requests[0].json["model"] == "small"


async def test_nothing_but_the_request_reaches_the_upstream() -> None:
    async with upstream(whole(reply())) as there, engine(there.url) as far:
        await far.answer(ask())
    assert there.requests[0].headers == {
        "host": there.url.split("/")[2],
        "authorization": f"Bearer {KEY}",
        "user-agent": "gpt-plugin",
        "accept": "application/json",
        "accept-encoding": "identity",
        "content-type": "application/json",
        "content-length": there.requests[0].headers["content-length"],
    }


async def test_no_cookie_is_kept() -> None:
    play = whole(reply(), "Set-Cookie: session=1; Path=/")
    async with upstream(play) as there, engine(there.url) as far:
        for _ in range(2):
            await far.answer(ask())
    assert "cookie" not in there.requests[1].headers
    assert there.connections == 1, "the connection is used again"


async def test_without_a_key_there_is_no_authorization() -> None:
    async with upstream(whole(reply())) as there, engine(there.url) as far:
        bare = Upstream(type(far._address)("far", there.url), far._client, lambda: 0.0)
        await bare.answer(ask())
    assert "authorization" not in there.requests[0].headers


@pytest.mark.parametrize(
    ("packed", "encoding"),
    [
        (gzip.compress(json.dumps(reply()).encode()), "gzip"),
        (zlib.compress(json.dumps(reply()).encode()), "deflate"),
    ],
)
async def test_an_answer_that_is_packed_nevertheless_is_unpacked(
    packed: bytes, encoding: str
) -> None:
    play = whole(packed, f"Content-Encoding: {encoding}")
    async with upstream(play) as there, engine(there.url) as far:
        answer = await answered(far, ask())
    assert json.loads(answer.body) == reply()


@pytest.mark.parametrize(
    "play",
    [
        whole(b"<html>Welcome</html>", kind="text/html"),
        whole(b""),
        whole(b"[]"),
        whole(b'{"a": 1'),
        whole(b'{"a": 1} {"b": 2}'),
        whole(b'{"usage": {"prompt_tokens": }}'),
        whole(b"\x1f\x8b broken", "Content-Encoding: gzip"),
        whole(gzip.compress(b"{}")[:-9], "Content-Encoding: gzip"),
        whole(b"{}", "Content-Encoding: br"),
        events(gzip.compress(b"{}"), b"more", headers="Content-Encoding: gzip\r\n", pause=0.01),
        events(b'{"a": 1', ends=False),
    ],
)
async def test_what_is_no_answer_is_not_passed_on_as_one(play: Any) -> None:
    async with upstream(play) as there, engine(there.url, retries=0) as far:
        assert (await refused(far)).answered == (502, "server_error", None)


async def test_an_error_under_a_good_status_is_an_error() -> None:
    play = whole({"error": {"message": "no such luck", "code": 502}})
    async with upstream(play) as there, engine(there.url, retries=0) as far:
        told = await refused(far)
    assert told.answered == (502, "server_error", None)
    assert "no such luck" in told.detail


@pytest.mark.parametrize(("status", "becomes"), [(400, 400), (413, 413), (422, 400)])
async def test_a_mistake_of_the_caller_is_told_in_the_upstreams_words(
    status: int, becomes: int
) -> None:
    play = error(
        status, message="too long", type="t", code="context_length_exceeded", param="messages"
    )
    async with upstream(play) as there, engine(there.url) as far:
        told = await refused(far)
        assert far.breaker.state == "closed"
    assert told.answered == (becomes, "t", "context_length_exceeded")
    assert (told.detail, told.param) == ("too long", "messages")
    assert len(there.requests) == 1


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"error": "plain"}', "The upstream far says: plain"),
        (
            b'{"object": "error", "message": "old vllm", "code": 400}',
            "The upstream far says: old vllm",
        ),
        (b'{"detail": "from FastAPI"}', "The upstream far says: from FastAPI"),
        (b"<html>", "The upstream far refused the request without saying why."),
        (b"{}", "The upstream far refused the request without saying why."),
    ],
)
async def test_looser_forms_of_an_error_are_read(body: bytes, message: str) -> None:
    async with upstream(whole(body, status=400)) as there, engine(there.url) as far:
        told = await refused(far)
    assert told.detail == message
    assert told.answered[2] is None


@pytest.mark.parametrize("status", [401, 403])
async def test_the_operators_key_is_the_operators_affair(status: int) -> None:
    play = error(status, message=f"Incorrect API key provided: {KEY}", code="invalid_api_key")
    async with upstream(play) as there, engine(there.url) as far:
        told = await refused(far)
        assert far.breaker.state == "closed"
    assert told.answered[0] == 502
    assert "operator's key for the upstream far was refused" in told.detail
    assert KEY not in told.detail
    assert len(there.requests) == 1


async def test_a_key_that_an_upstream_repeats_does_not_reach_the_caller() -> None:
    play = error(400, message=f"What is Bearer {KEY}?")
    async with upstream(play) as there, engine(there.url) as far:
        assert (await refused(far)).detail == "What is Bearer [key]?"
        assert KEY not in repr(far._address)


@pytest.mark.parametrize("status", [302, 402, 404, 405, 409, 415, 418])
async def test_any_other_status_is_not_the_callers_fault(status: int) -> None:
    play = error(status, f"Location: http://127.0.0.1:1/{status}")
    async with upstream(play) as there, engine(there.url) as far:
        told = await refused(far)
    assert told.answered[0] == 502
    assert "PLUGIN_UPSTREAMS" in told.detail
    assert len(there.requests) == 1


async def test_nobody_there() -> None:
    async with engine("http://127.0.0.1:9/v1", retries=1) as far:
        with pytest.raises(EngineUnavailable, match="far cannot be reached") as caught:
            await far.answer(ask())
    assert caught.value.headers == {"retry-after": "1"}


async def test_a_silent_upstream_is_given_up_once() -> None:
    async with upstream(hangs) as there, engine(there.url, timeout=0.1) as far:
        told = await refused(far)
    assert told.answered == (504, "server_error", "upstream_timeout")
    assert len(there.requests) == 1


async def test_a_caller_who_leaves_takes_the_connection_along() -> None:
    async with upstream(hangs) as there, engine(there.url) as far:
        task = asyncio.ensure_future(far.answer(ask()))
        await there.asked.wait()
        task.cancel()
        await asyncio.wait({task})
        await asyncio.wait_for(there.hung_up.wait(), 1)
        assert task.cancelled()
        assert far.breaker.state == "closed"


async def test_a_huge_answer_passes() -> None:
    vectors = [{"embedding": [0.5, -1e-3, 2] * 50_000, "index": n} for n in range(20)]
    body = json.dumps({"data": vectors, "model": "small", "usage": {"prompt_tokens": 9}}).encode()
    assert len(body) > 10_000_000
    async with upstream(whole(body)) as there, engine(there.url) as far:
        answer = await answered(far, ask("embeddings", requested="text-embedding-ada-002"))
    assert answer.body[:-70] == body[: len(answer.body) - 70]
    assert json.loads(answer.body)["model"] == "text-embedding-ada-002"
    assert counts(answer) == (9, 0)


async def test_a_form_goes_out_as_it_came_but_for_the_model() -> None:
    form = (
        b'--xyz\r\nContent-Disposition: form-data; name="image"; filename="model"\r\n'
        b'Content-Type: image/png\r\n\r\n\x89PNG\r\n\r\nname="model"\r\n\x00\r\n'
        b'--xyz\r\nContent-Disposition: form-data; name="model"\r\n\r\ndall-e-2\r\n--xyz--\r\n'
    )
    upload = Upload(form, "multipart/form-data; boundary=xyz")
    request = Ask("images/edits", {"model": "dall-e-2"}, "dall-e-2", "flux", upload=upload)
    body = {"created": 1, "data": [], "usage": {"input_tokens": 5, "output_tokens": 6}}
    async with upstream(whole(body)) as there, engine(there.url) as far:
        answer = await answered(far, request)
    assert counts(answer) == (5, 6)
    (sent,) = there.requests
    assert sent.line == "POST /v1/images/edits HTTP/1.1"
    assert sent.headers["content-type"] == "multipart/form-data; boundary=xyz"
    assert sent.body == form.replace(b"dall-e-2", b"flux")


async def test_an_upstream_that_does_not_stream_is_told_apart() -> None:
    async with upstream(whole(reply())) as there, engine(there.url) as far:
        assert "in one piece" in (await refused(far, ask(stream=True))).detail
        assert len(there.requests) == 1


async def test_half_a_surrogate_pair_is_the_callers_mistake() -> None:
    async with upstream(whole(reply())) as there, engine(there.url) as far:
        with pytest.raises(PluginError) as caught:
            await far.answer(ask(user="\ud800"))
    assert caught.value.status == 400
    assert there.requests == []


async def test_an_old_server_that_cannot_count_streams_is_asked_without() -> None:
    unknown = error(400, message="Unrecognized request argument: stream_options")
    async with (
        upstream(unknown, events(chunk(), DONE)) as there,
        engine(there.url, retries=0) as far,
    ):
        for _ in range(2):
            answer = await far.answer(ask(stream=True))
            assert isinstance(answer, Events)
            assert b"".join([piece async for piece in answer.pieces]) == chunk() + DONE
    assert ["stream_options" in sent.json for sent in there.requests] == [True, False, False]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("end", ["trickles", "falls silent", "breaks off"])
async def test_a_refusal_is_one_though_its_body_never_ends(
    end: str, stream: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upstreams, "_LONGEST_REFUSAL", 0.2)

    async def play(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 60000\r\n\r\n{")
        while end == "trickles":
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.05)
        if end == "falls silent":
            await asyncio.sleep(30)
        writer.close()

    async with upstream(play) as there, engine(there.url) as far, asyncio.timeout(3):
        refusal = await refused(far, ask(stream=stream))
        assert refusal.answered[0] == 413
        assert len(there.requests) == 1
        assert far.breaker.state == "closed"


async def test_the_usage_is_the_upstreams_count() -> None:
    assert USAGE["total_tokens"] == 10
    async with (
        upstream(whole(reply(usage=None)), whole(reply(usage={"prompt_tokens": -1}))) as there,
        engine(there.url) as far,
    ):
        # what an upstream does not count is estimated, four bytes a token
        assert counts(await answered(far, ask())) == (2, 1)
        assert counts(await answered(far, ask())) == (2, 1)


@pytest.mark.parametrize("stream", [False, True])
async def test_slow_calls_of_one_caller_do_not_hold_up_another(*, stream: bool) -> None:
    async with (
        upstream(hangs, hangs, whole(reply())) as there,
        engine(there.url, concurrency=4) as far,
    ):
        slow = [replace(ask(stream=stream), caller="attacker") for _ in range(9)]
        asking = [asyncio.create_task(far.answer(one)) for one in slow]
        await there.asked.wait()
        await asyncio.sleep(0.2)
        assert len(there.requests) == 2
        await answered(far, replace(ask(), caller="victim"))
        assert len(there.requests) == 3
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)
        for _ in range(4):  # nothing is held any more
            await answered(far, replace(ask(), caller="victim"))
