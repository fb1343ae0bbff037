"""Equal calls with one key, before real workers: carried out once, whatever happens between."""

import asyncio
import json
import os
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from http.client import HTTPException
from pathlib import Path
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
    hangs,
    reply,
    upstream,
    whole,
)
from tests.journeys.running import PATIENCE, Answer, Running, bearer, new_key, running, until

WORKERS = ("--workers", "3")
QUESTION = {"model": "small", "messages": [{"role": "user", "content": "hi"}]}
SLOW_NOTES = '''
import asyncio, os
from pathlib import Path
from fastapi import APIRouter
from plugin.operations import Arguments, operation

router = APIRouter(prefix="/slow", tags=["slow"])
LOG = Path(os.environ["SLOW_LOG"])

class Note(Arguments):
    text: str
    "What to note."

@router.post("", operation_id="note_slowly", summary="Note slowly")
@operation(scope="slow:write")
async def note_slowly(note: Note) -> dict[str, str]:
    """Note a text, slowly."""
    with LOG.open("a") as file:
        file.write(f"{os.getpid()} {note.text}\\n")
    await asyncio.sleep(1.0)
    with LOG.open("a") as file:
        file.write(f"{os.getpid()} done\\n")
    return {"text": note.text}
'''


def headers(key: dict[str, Any], idempotency_key: str) -> dict[str, str]:
    named = {"Content-Type": "application/json", "Idempotency-Key": idempotency_key}
    return bearer(key) | named


def at_once(started: Running, path: str, sent: Mapping[str, str], body: Any) -> list[Answer]:
    """A hundred equal calls, each on a connection of its own."""
    content = json.dumps(body).encode()

    def one(_number: int) -> Answer:
        return started.address.call("POST", path, sent, content)

    with ThreadPoolExecutor(100) as pool:
        return list(pool.map(one, range(100)))


def assert_one_was_first(answers: list[Answer]) -> None:
    assert len({(one.status, one.body, one.headers["content-type"]) for one in answers}) == 1
    marks = Counter(one.headers.get("idempotency-replayed") for one in answers)
    assert marks == {None: 1, "true": 99}


def todos(started: Running, key: dict[str, Any]) -> int:
    total: int = started.address.call("GET", "/todos", bearer(key)).json()["total"]
    return total


def test_a_hundred_at_once_add_one_todo_and_a_restart_forgets_nothing(tmp_path: Path) -> None:
    with running(tmp_path, "serve", *WORKERS) as started:
        key = new_key(tmp_path)
        sent = headers(key, "milk")
        answers = at_once(started, "/todos", sent, {"text": "Buy milk"})
        assert answers[0].status == 201
        assert_one_was_first(answers)
        assert todos(started, key) == 1
        other = started.address.call("POST", "/todos", sent, b'{"text": "Buy bread"}')
        assert (other.status, other.json()["code"]) == (422, "idempotency_key_reused")
        refused = headers(key, "nothing")
        faults = [started.address.call("POST", "/todos", refused, b"{}") for _ in range(2)]
        assert [one.status for one in faults] == [422, 422]
        assert faults[0].body == faults[1].body
        assert faults[1].headers["idempotency-replayed"] == "true"
    with running(tmp_path, "serve", *WORKERS) as started:
        again = started.address.call("POST", "/todos", sent, b'{"text": "Buy milk"}')
        assert (again.status, again.body) == (201, answers[0].body)
        assert again.headers["idempotency-replayed"] == "true"
        stranger = headers(new_key(tmp_path), "milk")
        assert started.address.call("POST", "/todos", stranger, b'{"text": "x"}').status == 201
        assert todos(started, key) == 1


@contextmanager
def slow_service(directory: Path) -> Iterator[tuple[Running, Path]]:
    package, log = directory / "company", directory / "slow.txt"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "slow.py").write_text(SLOW_NOTES)
    settings = {"PLUGIN_OPERATIONS": "company", "SLOW_LOG": str(log), "PYTHONPATH": str(directory)}
    paths = os.environ.get("PYTHONPATH")
    settings["PYTHONPATH"] += f"{os.pathsep}{paths}" if paths else ""
    with running(directory, "serve", *WORKERS, settings=settings) as started:
        yield started, log


def test_what_a_killed_worker_ran_is_carried_out_once_more(tmp_path: Path) -> None:
    with slow_service(tmp_path) as (started, log), ThreadPoolExecutor(20) as pool:
        sent, body = headers(new_key(tmp_path), "slow"), b'{"text": "one"}'

        def ask(_number: int) -> int:
            while True:
                try:
                    return started.address.call("POST", "/slow", sent, body).status
                except (OSError, HTTPException):
                    time.sleep(0.01)  # it was connected to the one that was killed

        waiting = [pool.submit(ask, number) for number in range(20)]
        until(log.exists)
        first = int(until(log.read_text).split()[0])
        os.kill(first, signal.SIGKILL)
        assert {one.result(PATIENCE) for one in waiting} == {200}
        again = started.address.call("POST", "/slow", sent, body)
        assert again.headers["idempotency-replayed"] == "true"
    ran = log.read_text().splitlines()
    # once by the dead, once by another
    assert [line.split()[1] for line in ran] == ["one", "one", "done"], (ran, started.err)


def test_an_operation_goes_on_when_its_caller_leaves(tmp_path: Path) -> None:
    with slow_service(tmp_path) as (started, log):
        sent, body = headers(new_key(tmp_path), "slow"), b'{"text": "one"}'
        connection = started.address.connect()
        connection.request("POST", "/slow", body, sent)
        until(log.exists)
        connection.close()
        again = started.address.call("POST", "/slow", sent, body)
        assert (again.status, again.headers["idempotency-replayed"]) == (200, "true")
    assert len(log.read_text().splitlines()) == 2


class Asking:
    """The service before a scripted upstream, asked from this event loop."""

    def __init__(self, there: Scripted, started: Running, key: dict[str, Any]) -> None:
        self.there = there
        self.started = started
        self.key = key

    async def post(self, path: str = "/v1/chat/completions", key: str = "k", **more: Any) -> Answer:
        content = json.dumps({**QUESTION, **more}).encode()
        call, sent = self.started.address.call, headers(self.key, key)
        return await asyncio.to_thread(call, "POST", path, sent, content)


@asynccontextmanager
async def asking(directory: Path, *plays: Play) -> AsyncIterator[Asking]:
    async with upstream(*plays) as there:
        models = ["small", {"id": "vectors", "kind": "embedding"}]
        far = {"name": "far", "base_url": there.url, "api_key": KEY, "models": models, "retries": 0}
        settings = {"PLUGIN_UPSTREAMS": json.dumps([far])}
        service = running(directory, "serve", *WORKERS, settings=settings)
        started = await asyncio.to_thread(service.__enter__)
        try:
            yield Asking(there, started, await asyncio.to_thread(new_key, directory))
        finally:
            await asyncio.to_thread(service.__exit__, None, None, None)


def slowly(play: Play) -> Play:
    async def later(writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.3)
        await play(writer)

    return later


async def test_a_hundred_at_once_reach_the_upstream_once(tmp_path: Path) -> None:
    async with asking(tmp_path, slowly(whole(reply()))) as service:
        sent = headers(service.key, "k")
        path = "/v1/chat/completions"
        answers = await asyncio.to_thread(at_once, service.started, path, sent, QUESTION)
        assert len(service.there.requests) == 1
        assert answers[0].json() == reply()
        assert_one_was_first(answers)
        other = await service.post(temperature=1)
        assert other.status == 422
        assert other.json()["error"]["code"] == "idempotency_key_reused"
        assert len(service.there.requests) == 1


async def test_a_stream_is_given_again_as_it_was(tmp_path: Path) -> None:
    play = events(chunk(text="one"), chunk(text="two"), counted(), DONE, pause=0.02)
    async with asking(tmp_path, play) as service:
        first = await service.post(stream=True)
        second = await service.post(stream=True)
        assert first.body == second.body
        assert first.body.endswith(DONE)
        assert second.headers["content-type"] == first.headers["content-type"]
        assert second.headers["content-type"].startswith("text/event-stream")
        assert second.headers["idempotency-replayed"] == "true"
        assert len(service.there.requests) == 1


async def test_errors_are_given_again_unless_they_say_to_come_again(tmp_path: Path) -> None:
    busy, wrong = error(429, "Retry-After: 1"), error(400, message="too many stops")
    async with asking(tmp_path, busy, wrong, events(chunk(), ends=False), whole(reply())) as asked:
        statuses = [(await asked.post()).status for _ in range(3)]
        assert statuses == [429, 400, 400]
        assert len(asked.there.requests) == 2
        broken = await asked.post(key="stream", stream=True)
        assert b"broke off" in broken.body
        whole_one = await asked.post(key="stream", stream=True)
        assert len(asked.there.requests) == 4
        assert "idempotency-replayed" not in whole_one.headers


async def test_who_leaves_an_engine_stops_it_and_frees_his_key(tmp_path: Path) -> None:
    async with asking(tmp_path, hangs, whole(reply())) as service:
        connection = service.started.address.connect()
        sent = headers(service.key, "k")
        body = json.dumps(QUESTION).encode()
        connection.request("POST", "/v1/chat/completions", body, sent)
        await asyncio.wait_for(service.there.asked.wait(), PATIENCE)
        connection.close()
        begun = time.monotonic()
        await asyncio.wait_for(service.there.hung_up.wait(), PATIENCE)
        assert time.monotonic() - begun < 1
        answer = await service.post()
        assert answer.status == 200
        assert "idempotency-replayed" not in answer.headers


@pytest.mark.parametrize("path", ["/v1/embeddings", "/v1/engines/vectors/embeddings"])
async def test_an_old_client_of_embeddings_waits_for_its_answer(tmp_path: Path, path: str) -> None:
    vectors = {"object": "list", "model": "vectors", "data": [], "usage": {"prompt_tokens": 1}}
    async with asking(tmp_path, slowly(whole(vectors))) as service:
        body = json.dumps({"model": "vectors", "input": "hi"}).encode()
        sent, call = headers(service.key, "k"), service.started.address.call
        answers = await asyncio.gather(
            *(asyncio.to_thread(call, "POST", path, sent, body) for _ in range(10))
        )
        assert {answer.status for answer in answers} == {200}
        assert len(service.there.requests) == 1


def test_a_database_locked_by_another_process_loses_no_answer(tmp_path: Path) -> None:
    with slow_service(tmp_path) as (started, log), ThreadPoolExecutor(1) as pool:
        key = new_key(tmp_path)
        sent, body = headers(key, "slow"), b'{"text": "one"}'
        first = pool.submit(started.address.call, "POST", "/slow", sent, body)
        until(log.exists)
        other = sqlite3.connect(tmp_path / "data" / "plugin.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        assert first.result(PATIENCE).status == 200
        refused = started.address.call("POST", "/slow", headers(key, "new"), body)
        assert (refused.status, refused.json()["code"]) == (503, "idempotency_unavailable")
        other.execute("ROLLBACK")
        other.close()
        again = started.address.call("POST", "/slow", sent, body)
        assert (again.status, again.headers["idempotency-replayed"]) == (200, "true")
    assert len(log.read_text().splitlines()) == 2
