"""`plugin why` over a running service: let in, turned away, answered by another upstream."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.engines.scripted_upstream import error, reply, whole
from tests.journeys.asked_why import why
from tests.journeys.in_process import plugin_here
from tests.journeys.restartable import Restartable, restartable
from tests.journeys.running import Answer, Running, bearer, new_key, plugin
from tests.journeys.upstreams import Upstreams

QUESTION = json.dumps({"model": "small", "messages": [{"role": "user", "content": "a secret"}]})


def ask(started: Running, path: str, headers: dict[str, str]) -> str:
    return started.address.call("GET", path, headers).headers["x-request-id"]


@pytest.fixture(scope="module")
def upstreams() -> Upstreams:
    return Upstreams("first", "second")


@pytest.fixture(scope="module")
def service(
    tmp_path_factory: pytest.TempPathFactory, upstreams: Upstreams
) -> Iterator[Restartable]:
    """Two workers before two upstreams of one model."""
    far = [{**one, "models": ["small"]} for one in upstreams.settings(retries=1)]
    settings = {"PLUGIN_UPSTREAMS": json.dumps(far)}
    with restartable(tmp_path_factory.mktemp("why"), 2, settings) as started:
        yield started


def test_a_call_of_an_operation_and_those_that_were_turned_away(service: Restartable) -> None:
    directory, started = service.directory, service.running
    key, other = new_key(directory), new_key(directory, "weather:read")
    limit = ("limits", "set", "requests", "1", "--per", "day", "--key", key["id"])
    assert plugin_here(directory, *limit).returncode == 0
    answered = ask(started, "/todos", bearer(key))
    refused = ask(started, "/todos", bearer(key))
    unknown = ask(started, "/todos", {})
    forbidden = ask(started, "/todos", bearer(other))
    told, said = why(directory, answered)
    assert (told["decision"], told["action"], told["status"]) == ("let in", "list_todos", 200)
    assert told["left"]["key-requests-day"] == 0
    assert f"by journey ({key['id']})" in said
    assert "key-requests-day 0" in said
    told, said = why(directory, refused)
    assert (told["decision"], told["status"]) == ("turned away", 429)
    assert (told["limit"], told["caller"]) == ("key-requests-day", key["id"])
    assert "turned away: the limit key-requests-day" in said
    assert "plugin limits set requests 2 --per day" in said
    assert "status 429 (over a limit)" in said
    told, said = why(directory, unknown)
    assert (told["status"], told["code"]) == (401, "not_authenticated")
    assert "by nobody that is known" in said
    told, said = why(directory, forbidden)
    assert (told["status"], told["caller"]) == (403, other["id"])
    assert "needs the scope todos:read" in said
    nothing = plugin(directory, "why", "req_that_never_was")
    assert nothing.returncode == 1
    assert "Nothing is known" in nothing.stdout
    # the same as a command of its own
    shown = plugin(directory, "why", answered, "--json")
    assert json.loads(shown.stdout)[0]["decision"] == "let in"


async def asked(started: Running, key: dict[str, Any]) -> Answer:
    headers = {**bearer(key), "content-type": "application/json"}
    call = started.address.call
    return await asyncio.to_thread(call, "POST", "/v1/chat/completions", headers, QUESTION)


async def test_an_upstream_that_failed_and_the_one_that_answered_instead(
    service: Restartable, upstreams: Upstreams
) -> None:
    play = upstreams.playing
    async with play("first", error(503)), play("second", whole(reply()), error(400)):
        key = await asyncio.to_thread(new_key, service.directory)
        answered = await asked(service.running, key)
        refused = await asked(service.running, key)
        assert (answered.status, refused.status) == (200, 400)
        named = answered.headers["x-request-id"], refused.headers["x-request-id"]
        good, bad = [await asyncio.to_thread(why, service.directory, one) for one in named]
    told, said = good
    assert told["answered_by"] == "small; engine=second"
    assert (told["tokens_in"], told["tokens_out"]) == (7, 3)
    assert {event["upstream"] for event in told["way"]} == {"first"}
    assert [event["status"] for event in told["way"]] == [503] * len(told["way"])
    assert told["way"][-1]["again_after_ms"] is None
    assert "upstream failed: upstream first, status 503" in said
    assert "small, answered by small; engine=second" in said
    told, said = bad
    assert (told["status"], told["way"][-1]["what"]) == (400, "refused")
    # what an upstream says may repeat what was asked
    assert "text" not in told["way"][-1]


def test_what_a_service_decided_stays_when_it_has_ended(service: Restartable) -> None:
    key = new_key(service.directory)
    answered = ask(service.running, "/todos", bearer(key))
    turned_away = ask(service.running, "/todos", {})
    service.stop()
    assert why(service.directory, answered)[0]["ended"] == "whole"
    assert why(service.directory, turned_away)[0]["status"] == 401
