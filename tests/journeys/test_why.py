"""`plugin why` over a running service: let in, turned away, answered by another, broken off."""

import asyncio
import json
import os
import signal
from pathlib import Path
from typing import Any

from tests.clients.event_stream import post
from tests.clients.gpt_service import serving_gpt
from tests.engines.scripted_upstream import error, reply, upstream, whole
from tests.journeys.running import Answer, Running, bearer, new_key, plugin, running, until

QUESTION = json.dumps({"model": "small", "messages": [{"role": "user", "content": "a secret"}]})


def why(directory: Path, request_id: str) -> tuple[dict[str, Any], str]:
    """What the command tells of one call, for programs and for people."""
    told = plugin(directory, "why", request_id, "--json")
    assert told.returncode == 0, told.stdout + told.stderr
    (found,) = json.loads(told.stdout)
    said = plugin(directory, "why", request_id)
    assert said.stdout.startswith(request_id)
    assert "secret" not in told.stdout + said.stdout
    return found, " ".join(said.stdout.split())


def ask(started: Running, path: str, headers: dict[str, str]) -> str:
    return started.address.call("GET", path, headers).headers["x-request-id"]


def test_a_call_of_an_operation_and_those_that_were_turned_away(tmp_path: Path) -> None:
    key, other = new_key(tmp_path), new_key(tmp_path, "weather:read")
    limit = ("limits", "set", "requests", "1", "--per", "day", "--key", key["id"])
    assert plugin(tmp_path, *limit).returncode == 0
    with running(tmp_path, "serve", "--workers", "2") as started:
        answered = ask(started, "/todos", bearer(key))
        refused = ask(started, "/todos", bearer(key))
        unknown = ask(started, "/todos", {})
        forbidden = ask(started, "/todos", bearer(other))
        told, said = why(tmp_path, answered)
        assert (told["decision"], told["action"], told["status"]) == ("let in", "list_todos", 200)
        assert told["left"]["key-requests-day"] == 0
        assert f"by journey ({key['id']})" in said
        assert "key-requests-day 0" in said
        told, said = why(tmp_path, refused)
        assert (told["decision"], told["status"]) == ("turned away", 429)
        assert (told["limit"], told["caller"]) == ("key-requests-day", key["id"])
        assert "turned away: the limit key-requests-day" in said
        assert "plugin limits set requests 2 --per day" in said
        assert "status 429 (over a limit)" in said
        told, said = why(tmp_path, unknown)
        assert (told["status"], told["code"]) == (401, "not_authenticated")
        assert "by nobody that is known" in said
        told, said = why(tmp_path, forbidden)
        assert (told["status"], told["caller"]) == (403, other["id"])
        assert "needs the scope todos:read" in said
        nothing = plugin(tmp_path, "why", "req_that_never_was")
        assert nothing.returncode == 1
        assert "Nothing is known" in nothing.stdout
    # the service has ended: what it decided stays
    assert why(tmp_path, refused)[0]["status"] == 429
    assert why(tmp_path, answered)[0]["ended"] == "whole"


async def asked(started: Running, key: dict[str, Any]) -> Answer:
    headers = {**bearer(key), "content-type": "application/json"}
    call = started.address.call
    return await asyncio.to_thread(call, "POST", "/v1/chat/completions", headers, QUESTION)


async def test_an_upstream_that_failed_and_the_one_that_answered_instead(tmp_path: Path) -> None:
    async with upstream(error(503)) as first, upstream(whole(reply()), error(400)) as second:
        far = [
            {"name": name, "base_url": there.url, "models": ["small"], "retries": 1}
            for name, there in (("first", first), ("second", second))
        ]
        settings = {"PLUGIN_UPSTREAMS": json.dumps(far)}
        started = running(tmp_path, "serve", settings=settings)
        entered = await asyncio.to_thread(started.__enter__)
        try:
            key = await asyncio.to_thread(new_key, tmp_path)
            answered, refused = await asked(entered, key), await asked(entered, key)
            assert (answered.status, refused.status) == (200, 400)
            named = answered.headers["x-request-id"], refused.headers["x-request-id"]
            good, bad = [await asyncio.to_thread(why, tmp_path, one) for one in named]
        finally:
            await asyncio.to_thread(started.__exit__, None, None, None)
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


def test_an_engine_that_died_while_it_answered(tmp_path: Path) -> None:
    story = {
        "model": "smollm2-135m-instruct",
        "messages": [{"role": "user", "content": "Tell me a long story about a secret."}],
        "max_tokens": 400,
        "stream": True,
    }

    async def killed(port: int, key: str, engine: int) -> Any:
        asking = asyncio.create_task(post(port, "/v1/chat/completions", key, story))
        await asyncio.sleep(1.5)
        os.kill(engine, signal.SIGKILL)
        return await asyncio.wait_for(asking, 60)

    with serving_gpt(tmp_path) as gpt:
        state = json.loads((tmp_path / "data" / "engine.json").read_text())
        ended = asyncio.run(killed(gpt.running.address.port, gpt.key, state["pid"]))
        assert ended.error is not None

        def broken() -> dict[str, Any]:
            records = gpt.running.records()
            return next((one for one in records if one.get("ended") == "broken off"), {})

        record = until(broken)
        told, said = why(tmp_path, record["request_id"])
    assert (told["status"], told["ended"]) == (200, "broken off")
    happened = [event["what"] for event in told["way"]]
    assert "engine stopped" in happened
    assert happened[-1] == "broke off"
    assert "engine stopped" in said
