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
from contextlib import asynccontextmanager
from http.client import HTTPException
from pathlib import Path
from typing import Any

import pytest

from tests.engines.scripted_upstream import (
    DONE,
    Play,
    Scripted,
    chunk,
    counted,
    error,
    events,
    hangs,
    reply,
    whole,
)
from tests.journeys.restartable import Restartable, restartable
from tests.journeys.running import PATIENCE, Answer, bearer, new_key, until
from tests.journeys.upstreams import Upstreams
from tests.sizes import sized

WORKERS = sized(2, 3)
AT_ONCE = 100
SLOW_NOTES = '''
import asyncio, os
from pathlib import Path
from fastapi import APIRouter
from plugin.operations import Arguments, operation

router = APIRouter(prefix="/slow", tags=["slow"])
NOTES = Path(os.environ["SLOW_NOTES"])

class Note(Arguments):
    text: str
    "What to note."

@router.post("", operation_id="note_slowly", summary="Note slowly")
@operation(scope="slow:write")
async def note_slowly(note: Note) -> dict[str, str]:
    """Note a text, and end as soon as a file allows it."""
    with (NOTES / f"{note.text}.log").open("a") as file:
        file.write(f"{os.getpid()} begun\\n")
    while not (NOTES / f"{note.text}.may-end").exists():
        await asyncio.sleep(0.02)
    with (NOTES / f"{note.text}.log").open("a") as file:
        file.write(f"{os.getpid()} ended\\n")
    return {"text": note.text}
'''

CHAT = "/v1/chat/completions"
EMBEDDINGS = {
    "/v1/embeddings": "vectors",
    "/v1/engines/old-vectors/embeddings": "old-vectors",
}


@pytest.fixture(scope="module")
def upstreams() -> Upstreams:
    return Upstreams("once", "streams", "errors", "left", *EMBEDDINGS.values())


@pytest.fixture(scope="module")
def service(
    tmp_path_factory: pytest.TempPathFactory, upstreams: Upstreams
) -> Iterator[Restartable]:
    """Before the upstreams, with an operation that ends when a test allows it."""
    directory = tmp_path_factory.mktemp("idempotency")
    package = directory / "company"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "slow.py").write_text(SLOW_NOTES)
    far = upstreams.settings(retries=0)
    for one in far:
        if one["name"] in EMBEDDINGS.values():
            one["models"] = [{"id": one["name"], "kind": "embedding"}]
    paths = [str(directory), *filter(None, [os.environ.get("PYTHONPATH")])]
    settings = {
        "PLUGIN_UPSTREAMS": json.dumps(far),
        "PLUGIN_OPERATIONS": "company",
        "SLOW_NOTES": str(directory),
        "PYTHONPATH": os.pathsep.join(paths),
    }
    with restartable(directory, WORKERS, settings) as started:
        yield started


@pytest.fixture
def key(service: Restartable) -> dict[str, Any]:
    return new_key(service.directory)


def headers(key: dict[str, Any], idempotency_key: str) -> dict[str, str]:
    named = {"Content-Type": "application/json", "Idempotency-Key": idempotency_key}
    return bearer(key) | named


def at_once(service: Restartable, path: str, sent: Mapping[str, str], body: Any) -> list[Answer]:
    """A hundred equal calls, each on a connection of its own."""
    content = json.dumps(body).encode()

    def one(_number: int) -> Answer:
        return service.address.call("POST", path, sent, content)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(one, range(AT_ONCE)))


def assert_one_was_first(answers: list[Answer]) -> None:
    assert len({(one.status, one.body, one.headers["content-type"]) for one in answers}) == 1
    marks = Counter(one.headers.get("idempotency-replayed") for one in answers)
    assert marks == {None: 1, "true": AT_ONCE - 1}


def todos(service: Restartable, key: dict[str, Any]) -> int:
    total: int = service.address.call("GET", "/todos", bearer(key)).json()["total"]
    return total


def test_a_hundred_at_once_add_one_todo_and_a_restart_forgets_nothing(
    service: Restartable, key: dict[str, Any]
) -> None:
    sent = headers(key, "milk")
    answers = at_once(service, "/todos", sent, {"text": "Buy milk"})
    assert answers[0].status == 201
    assert_one_was_first(answers)
    assert todos(service, key) == 1
    other = service.address.call("POST", "/todos", sent, b'{"text": "Buy bread"}')
    assert (other.status, other.json()["code"]) == (422, "idempotency_key_reused")
    refused = headers(key, "nothing")
    faults = [service.address.call("POST", "/todos", refused, b"{}") for _ in range(2)]
    assert [one.status for one in faults] == [422, 422]
    assert faults[0].body == faults[1].body
    assert faults[1].headers["idempotency-replayed"] == "true"
    service.stop()
    again = service.address.call("POST", "/todos", sent, b'{"text": "Buy milk"}')
    assert (again.status, again.body) == (201, answers[0].body)
    assert again.headers["idempotency-replayed"] == "true"
    stranger = headers(new_key(service.directory), "milk")
    assert service.address.call("POST", "/todos", stranger, b'{"text": "x"}').status == 201
    assert todos(service, key) == 1


class Slow:
    """One text that is noted slowly: what ran, and the leave to end."""

    def __init__(self, directory: Path, text: str) -> None:
        self._directory = directory
        self._text = text
        self.body = json.dumps({"text": text}).encode()

    @property
    def ran(self) -> list[list[str]]:
        """The process and the event of each line, as soon as there is one."""
        log = self._directory / f"{self._text}.log"
        lines = until(lambda: log.exists() and log.read_text().splitlines())
        return [line.split() for line in lines or []]

    def let_end(self) -> None:
        (self._directory / f"{self._text}.may-end").touch()


def test_what_a_killed_worker_ran_is_carried_out_once_more(
    service: Restartable, key: dict[str, Any]
) -> None:
    slow, sent = Slow(service.directory, "killed"), headers(key, "slow")

    def ask(_number: int) -> int:
        while True:
            try:
                return service.address.call("POST", "/slow", sent, slow.body).status
            except (OSError, HTTPException):
                time.sleep(0.01)  # the connection was that of the killed worker

    with ThreadPoolExecutor(20) as pool:
        waiting = [pool.submit(ask, number) for number in range(20)]
        os.kill(int(slow.ran[0][0]), signal.SIGKILL)
        slow.let_end()
        assert {one.result(PATIENCE) for one in waiting} == {200}
    again = service.address.call("POST", "/slow", sent, slow.body)
    assert again.headers["idempotency-replayed"] == "true"
    # the killed worker began it, another one carried it out
    events = [event for _, event in slow.ran]
    assert events == ["begun", "begun", "ended"], (slow.ran, service.running.err)


def test_an_operation_goes_on_when_its_caller_leaves(
    service: Restartable, key: dict[str, Any]
) -> None:
    slow, sent = Slow(service.directory, "left"), headers(key, "slow")
    connection = service.address.connect()
    connection.request("POST", "/slow", slow.body, sent)
    assert slow.ran
    connection.close()
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(service.address.call, "POST", "/slow", sent, slow.body)
        time.sleep(0.3)  # the service sees that the first caller has left
        slow.let_end()
        again = asked.result(PATIENCE)
    assert (again.status, again.headers["idempotency-replayed"]) == (200, "true")
    assert [event for _, event in slow.ran] == ["begun", "ended"]


def test_a_database_locked_by_another_process_loses_no_answer(
    service: Restartable, key: dict[str, Any]
) -> None:
    slow, sent = Slow(service.directory, "locked"), headers(key, "slow")
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(service.address.call, "POST", "/slow", sent, slow.body)
        assert slow.ran
        other = sqlite3.connect(service.directory / "data" / "plugin.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        slow.let_end()
        assert first.result(PATIENCE).status == 200
        refused = service.address.call("POST", "/slow", headers(key, "new"), slow.body)
        assert (refused.status, refused.json()["code"]) == (503, "idempotency_unavailable")
        other.execute("ROLLBACK")
        other.close()
        again = service.address.call("POST", "/slow", sent, slow.body)
        assert (again.status, again.headers["idempotency-replayed"]) == (200, "true")
    assert [event for _, event in slow.ran] == ["begun", "ended"]


class Asking:
    """The service before one scripted upstream, asked from this event loop."""

    def __init__(self, service: Restartable, there: Scripted, model: str) -> None:
        self.there = there
        self.question = {"model": model, "messages": [{"role": "user", "content": "hi"}]}
        self.key = new_key(service.directory)
        self._service = service

    async def post(self, key: str = "k", **more: Any) -> Answer:
        content = json.dumps({**self.question, **more}).encode()
        call, sent = self._service.address.call, headers(self.key, key)
        return await asyncio.to_thread(call, "POST", CHAT, sent, content)


@pytest.fixture
def asking(service: Restartable, upstreams: Upstreams) -> Any:
    """`asking(name, *plays)` is the service before the upstream of that name."""

    @asynccontextmanager
    async def before(name: str, *plays: Play) -> AsyncIterator[Asking]:
        async with upstreams.playing(name, *plays) as there:
            yield Asking(service, there, name)

    return before


def slowly(play: Play) -> Play:
    async def later(writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.3)
        await play(writer)

    return later


async def test_a_hundred_at_once_reach_the_upstream_once(service: Restartable, asking: Any) -> None:
    async with asking("once", slowly(whole(reply("once")))) as asked:
        sent = headers(asked.key, "k")
        answers = await asyncio.to_thread(at_once, service, CHAT, sent, asked.question)
        assert len(asked.there.requests) == 1
        assert answers[0].json() == reply("once")
        assert_one_was_first(answers)
        other = await asked.post(temperature=1)
        assert other.status == 422
        assert other.json()["error"]["code"] == "idempotency_key_reused"
        assert len(asked.there.requests) == 1


async def test_a_stream_is_given_again_as_it_was(asking: Any) -> None:
    play = events(chunk(text="one"), chunk(text="two"), counted(), DONE, pause=0.02)
    async with asking("streams", play) as asked:
        first = await asked.post(stream=True)
        second = await asked.post(stream=True)
        assert first.body == second.body
        assert first.body.endswith(DONE)
        assert second.headers["content-type"] == first.headers["content-type"]
        assert second.headers["content-type"].startswith("text/event-stream")
        assert second.headers["idempotency-replayed"] == "true"
        assert len(asked.there.requests) == 1


async def test_errors_are_given_again_unless_they_say_to_come_again(asking: Any) -> None:
    busy, wrong = error(429, "Retry-After: 1"), error(400, message="too many stops")
    broken = events(chunk(), ends=False)
    async with asking("errors", busy, wrong, broken, whole(reply("errors"))) as asked:
        statuses = [(await asked.post()).status for _ in range(3)]
        assert statuses == [429, 400, 400]
        assert len(asked.there.requests) == 2
        cut = await asked.post(key="stream", stream=True)
        assert b"broke off" in cut.body
        whole_one = await asked.post(key="stream", stream=True)
        assert len(asked.there.requests) == 4
        assert "idempotency-replayed" not in whole_one.headers


async def test_a_caller_that_leaves_an_engine_stops_it_and_frees_its_key(
    service: Restartable, asking: Any
) -> None:
    async with asking("left", hangs, whole(reply("left"))) as asked:
        connection = service.address.connect()
        body = json.dumps(asked.question).encode()
        connection.request("POST", CHAT, body, headers(asked.key, "k"))
        await asyncio.wait_for(asked.there.asked.wait(), PATIENCE)
        connection.close()
        begun = time.monotonic()
        await asyncio.wait_for(asked.there.hung_up.wait(), PATIENCE)
        assert time.monotonic() - begun < sized(10, 1)
        answer = await asked.post()
        assert answer.status == 200
        assert "idempotency-replayed" not in answer.headers


@pytest.mark.parametrize("path", EMBEDDINGS)
async def test_an_old_client_of_embeddings_waits_for_its_answer(
    service: Restartable, asking: Any, path: str
) -> None:
    model = EMBEDDINGS[path]
    vectors = {"object": "list", "model": model, "data": [], "usage": {"prompt_tokens": 1}}
    async with asking(model, slowly(whole(vectors))) as asked:
        body = json.dumps({"model": model, "input": "hi"}).encode()
        sent, call = headers(asked.key, "k"), service.address.call
        answers = await asyncio.gather(
            *(asyncio.to_thread(call, "POST", path, sent, body) for _ in range(10))
        )
        assert {answer.status for answer in answers} == {200}
        assert len(asked.there.requests) == 1
