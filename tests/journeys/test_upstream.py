"""The whole service before an upstream: what each side learns of the other, and what not."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.engines.scripted_upstream import (
    DONE,
    KEY,
    Play,
    Scripted,
    chunk,
    counted,
    error,
    events,
    reply,
    whole,
)
from tests.journeys.restartable import restartable
from tests.journeys.running import Answer, new_key
from tests.journeys.streaming import Shared
from tests.journeys.upstreams import Upstreams

QUESTION = {"messages": [{"role": "user", "content": "hi"}]}
FROM_THE_CALLER = {
    "cookie": "session=of-the-caller",
    "openai-organization": "org-of-the-caller",
    "x-forwarded-for": "192.0.2.9",
    "x-request-id": "of-the-caller",
    "user-agent": "caller/1",
    "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
}
FROM_THE_UPSTREAM = (
    "Set-Cookie: session=upstream",
    "X-Request-Id: of-the-upstream",
    "OpenAI-Organization: org-of-the-operator",
    "X-RateLimit-Remaining-Requests: 4",
    "Server: upstream",
    "Keep-Alive: timeout=77",
)


class Service:
    """The service, and one upstream behind it."""

    def __init__(self, started: Shared, there: Scripted, name: str) -> None:
        self.there = there
        self.name = name
        self.key: str = new_key(started.directory)["key"]
        self._started = started.running

    async def ask(self, path: str = "/v1/chat/completions", **body: Any) -> Answer:
        headers = {"authorization": f"Bearer {self.key}", "content-type": "application/json"}
        sent = json.dumps({"model": f"gpt-{self.name}", **QUESTION, **body}).encode()
        call = self._started.address.call
        return await asyncio.to_thread(call, "POST", path, {**headers, **FROM_THE_CALLER}, sent)

    async def parts(self) -> Any:
        return (await asyncio.to_thread(self._started.address.call, "GET", "/readyz")).json()

    @property
    def log(self) -> str:
        return self._started.out + self._started.err


NAMES = ("learns", "streams", "fails")


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shared]:
    """Each upstream has a model of its name, which callers know under another name."""
    directory, upstreams = tmp_path_factory.mktemp("upstream"), Upstreams(*NAMES)
    settings = {
        "PLUGIN_UPSTREAMS": json.dumps(upstreams.settings(retries=0)),
        "PLUGIN_MODEL_ALIASES": json.dumps({f"gpt-{name}": name for name in NAMES}),
        "PLUGIN_ENGINE": "none",
    }
    with restartable(directory, 1, settings) as service:
        yield Shared(service, upstreams)


@pytest.fixture
def service(started: Shared) -> Any:
    """`service(name, *plays)` is the service before the upstream of that name."""

    @asynccontextmanager
    async def before(name: str, *plays: Play) -> AsyncIterator[Service]:
        async with started.upstreams.playing(name, *plays) as there:
            yield Service(started, there, name)

    return before


async def test_neither_side_learns_what_belongs_to_the_other(service: Any) -> None:
    play = whole(reply(), *FROM_THE_UPSTREAM)
    async with service("learns", play) as served:
        answer = await served.ask()
        (sent,) = served.there.requests
        log = served.log
    assert answer.status == 200
    assert answer.json() == reply("gpt-learns")
    assert answer.headers["openai-model"] == "learns; engine=learns"
    assert answer.headers["x-request-id"] == FROM_THE_CALLER["x-request-id"]
    # without a collector of traces, the caller's trace is not passed on either
    assert sent.headers.keys() == {
        *("host", "authorization", "user-agent", "accept", "accept-encoding"),
        *("content-type", "content-length"),
    }
    assert sent.headers["authorization"] == f"Bearer {KEY}"
    theirs = " ".join((sent.line, *sent.headers.values(), sent.body.decode()))
    assert "of-the-caller" not in theirs
    assert served.key not in theirs
    ours = repr((answer.headers, answer.body))
    for secret in (KEY, "of-the-upstream", "org-of-the-operator", "session=upstream", "77"):
        assert secret not in ours
    assert KEY not in log


async def test_a_stream_is_complete_or_says_that_it_is_not(service: Any) -> None:
    good, bad = events(chunk(), counted(), DONE), events(chunk(), ends=False)
    async with service("streams", good, bad) as served:
        first, second = await served.ask(stream=True), await served.ask(stream=True)
    renamed = chunk("gpt-streams")
    assert first.body == renamed + DONE
    assert first.headers["content-type"].startswith("text/event-stream")
    begin, event = second.body[: len(renamed)], second.body[len(renamed) :]
    assert begin == renamed
    told = json.loads(event.removeprefix(b"data: "))["error"]
    assert told["type"] == "server_error"
    assert "The upstream streams broke off" in told["message"]


async def test_errors_are_told_in_the_form_of_the_gpt_api(service: Any) -> None:
    mistake = error(422, message="too many stops", type="t", param="stop", code="c")
    plays = (mistake, error(401, message=f"bad key {KEY}"), error(429, "Retry-After: 9"))
    async with service("fails", *plays, error(500)) as served:
        answers = [await served.ask(stream=stream) for stream in (False, True, False)]
        for _ in range(5):
            assert (await served.ask()).status == 502
        down, parts = await served.ask(), await served.parts()
    assert [answer.status for answer in answers] == [400, 502, 429]
    assert answers[0].json() == {
        "error": {"message": "too many stops", "type": "t", "param": "stop", "code": "c"}
    }
    assert KEY.encode() not in answers[1].body
    assert answers[2].headers["retry-after"] == "9"
    assert down.status == 503
    assert int(down.headers["retry-after"]) >= 1
    assert parts == {
        "status": "ready, but not all of it: upstream fails",
        "parts": {
            "database": "ready",
            "upstream learns": "ok",
            "upstream streams": "ok",
            "upstream fails": "failing",
        },
    }
