import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Body, Request, Response
from fastapi.responses import StreamingResponse
from starlette.requests import ClientDisconnect

from plugin.api.middleware import CALLER_LEFT
from plugin.api.v1.sse import EventStream
from plugin.engines.engine import Events
from plugin.errors import EngineUnavailable, LimitReached, NotFound, Overloaded, SourceUnavailable
from plugin.idempotency.keys import Idempotency
from plugin.messages import AnsweredBy
from plugin.operations import operation
from tests.conftest import Gate, Reply
from tests.idempotency.world import world
from tests.pools.threads import some_pools

ONE_TIME = {"x-request-id", "openai-processing-ms"}
NEVER_CONFLICT = ("/v1/edits", "/v1/engines/a/embeddings")
ERRORS: dict[str, Exception] = {
    "known": NotFound("no"),
    "unknown": ValueError("secret"),
    "source": SourceUnavailable("away"),
    "engine": EngineUnavailable("away", headers={"retry-after": "1"}),
    "limit": LimitReached("full", headers={"retry-after": "1"}),
    "overloaded": Overloaded("busy"),
}
EVENTS = [b"data: 1\n\n", b"data: 2\n\n", b"data: [DONE]\n\n"]


class Calls:
    """One endpoint for each way in which an answer can come; how often they ran."""

    def __init__(self) -> None:
        self.ran: list[Any] = []
        self.begun, self.goes_on = asyncio.Event(), asyncio.Event()

    async def note(self, body: Any, _request: Request) -> dict[str, Any]:
        self.ran.append(body)
        return {"number": len(self.ran), "body": body}

    async def fail(self, body: Any, _request: Request) -> None:
        self.ran.append(body)
        raise ERRORS[body]

    async def slow(self, body: Any, _request: Request) -> dict[str, Any]:
        self.begun.set()
        await self.goes_on.wait()
        self.ran.append(body)
        return {"number": len(self.ran)}

    async def large(self, body: Any, _request: Request) -> Response:
        self.ran.append(body)
        return Response(b"x" * body)

    async def pieces(self, body: Any, _request: Request) -> StreamingResponse:
        self.ran.append(body)
        return StreamingResponse(self._events(body), media_type="text/plain", status_code=202)

    async def events(self, body: Any, request: Request) -> EventStream:
        self.ran.append(body)
        exchange = request.scope["plugin.exchange"]

        async def begun() -> Events:
            return Events(self._events(body), AnsweredBy("some"))

        return EventStream(begun(), exchange, lambda _: {}, lambda: None)

    async def leaves(self, body: Any, _request: Request) -> None:
        self.ran.append(body)
        raise ClientDisconnect

    async def _events(self, body: Any) -> AsyncIterator[bytes]:
        for event in EVENTS:
            yield event
            if body == "breaks":
                raise EngineUnavailable("it broke")
            if body == "waits":
                self.begun.set()
                await self.goes_on.wait()


def routes(calls: Calls) -> APIRouter:
    """The endpoints at the root and below /v1, and two that are never answered with 409."""
    router = APIRouter()
    names = ("note", "fail", "slow", "large", "pieces", "events", "leaves")
    paths = {f"{prefix}/{name}": name for prefix in ("", "/v1") for name in names}
    for path, name in {**paths, **dict.fromkeys(NEVER_CONFLICT, "slow")}.items():
        route = operation(scope="notes:read")(_route(getattr(calls, name)))
        router.add_api_route(path, route, methods=["POST", "PUT"])
    return router


def _route(endpoint: Callable[[Any, Request], Awaitable[Any]]) -> Callable[..., Any]:
    async def route(body: Annotated[Any, Body()], request: Request) -> Any:
        return await endpoint(body, request)

    return route


class Caller:
    """One end of a connection."""

    def __init__(self, body: bytes, leaves: asyncio.Event) -> None:
        self._body: bytes | None = body
        self._leaves = leaves
        self._got: list[Any] = []

    async def receive(self) -> dict[str, Any]:
        if self._body is not None:
            body, self._body = self._body, None
            return {"type": "http.request", "body": body, "more_body": False}
        await self._leaves.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        self._got.append(message)

    def reply(self) -> Reply:
        start, *rest = self._got or [{"status": 0}]
        names = {name.decode(): value.decode() for name, value in start.get("headers", ())}
        assert len(names) == len(start.get("headers", ())), "a header is there twice"
        body = b"".join(message.get("body", b"") for message in rest)
        return Reply(start["status"], names, body)


class Service:
    """The gate before those routes, with keys."""

    def __init__(self, calls: Calls, keys: Idempotency) -> None:
        self.calls = calls
        self.gate = Gate(routes(calls), limit=5_000_000)
        self.gate.fastapi.state.services = SimpleNamespace(idempotency=keys, pools=some_pools())

    async def post(
        self,
        path: str,
        body: Any = 1,
        *,
        key: bytes = b"one",
        caller: bytes = b"all",
        leaves: asyncio.Event | None = None,
    ) -> Reply:
        """What a caller gets whose connection stays open, until the event `leaves`."""
        headers = [(b"authorization", b"Bearer " + caller), (b"idempotency-key", key)]
        headers.append((b"content-type", b"application/json"))
        scope: dict[str, Any] = {"type": "http", "method": "POST", "path": path}
        scope |= {"headers": headers, "query_string": b"", "root_path": "", "client": None}
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        end = Caller(content, leaves or asyncio.Event())
        await self.gate.app(scope, end.receive, end.send)
        return end.reply()

    async def twice(self, path: str, body: Any = 1) -> tuple[Reply, Reply]:
        return await self.post(path, body), await self.post(path, body)


@asynccontextmanager
async def serving(directory: Path, **options: Any) -> AsyncIterator[Service]:
    async with world(directory) as here:
        keys = here.worker(**options)
        yield Service(Calls(), keys)
        await keys.close()


def assert_replayed(first: Reply, second: Reply) -> None:
    assert "idempotency-replayed" not in first.headers
    assert second.headers["idempotency-replayed"] == "true"
    assert (second.status, second.body) == (first.status, first.body)
    kept = first.headers.keys() - ONE_TIME
    assert {name: second.headers[name] for name in kept} == {
        name: first.headers[name] for name in kept
    }


@pytest.mark.parametrize("path", ["/note", "/v1/note", "/pieces", "/v1/pieces", "/v1/events"])
async def test_an_equal_call_gets_the_stored_answer(tmp_path: Path, path: str) -> None:
    async with serving(tmp_path) as service:
        first, second = await service.twice(path)
        assert service.calls.ran == [1]
        assert_replayed(first, second)
        assert [record.get("ended") for record in service.gate.records] == [None, "replayed"]
        other = await service.post(path, key=b"two")
        assert "idempotency-replayed" not in other.headers
        assert service.calls.ran == [1, 1]


@pytest.mark.parametrize("prefix", ["", "/v1"])
async def test_another_body_is_refused_in_the_envelope_of_its_door(
    tmp_path: Path, prefix: str
) -> None:
    async with serving(tmp_path) as service:
        await service.post(f"{prefix}/note", 1)
        for path, body in ((f"{prefix}/note", 2), (f"{prefix}/large", 1)):
            refused = await service.post(path, body)
            assert refused.status == 422
            assert refused.headers["x-should-retry"] == "false"
            error = refused.json["error"] if prefix else refused.json
            assert error["code"] == "idempotency_key_reused"
        assert service.calls.ran == [1]
        assert (await service.post(f"{prefix}/note", 2, caller=b"reader")).status == 200


@pytest.mark.parametrize("what", ["known", "unknown"])
@pytest.mark.parametrize("prefix", ["", "/v1"])
async def test_errors_of_the_call_are_kept(tmp_path: Path, prefix: str, what: str) -> None:
    async with serving(tmp_path) as service:
        first, second = await service.twice(f"{prefix}/fail", what)
        assert service.calls.ran == [what]
        assert_replayed(first, second)
        assert first.status == (404 if what == "known" else 500)
        assert ("x-should-retry" in second.headers) is (what == "unknown")


async def test_arguments_that_are_refused_are_kept(tmp_path: Path) -> None:
    async with serving(tmp_path) as service:
        first, second = await service.twice("/note", b"{")
        assert_replayed(first, second)
        assert first.status == 422


@pytest.mark.parametrize(
    ("path", "what", "kept"),
    [
        ("/fail", "source", True),
        ("/fail", "limit", False),
        ("/fail", "engine", False),
        ("/fail", "overloaded", False),
        ("/v1/fail", "engine", False),
        ("/v1/fail", "overloaded", False),
        ("/v1/fail", "limit", False),
        ("/v1/events", "breaks", False),
    ],
)
async def test_what_asks_to_come_again_is_not_kept(
    tmp_path: Path, path: str, what: str, kept: bool
) -> None:
    async with serving(tmp_path) as service:
        first, second = await service.twice(path, what)
        assert second.body[:20] == first.body[:20]
        assert service.calls.ran == ([what] if kept else [what, what])
        assert ("idempotency-replayed" in second.headers) is kept


async def test_what_never_reached_the_call_leaves_the_key_free(tmp_path: Path) -> None:
    async with serving(tmp_path) as service:
        assert (await service.post("/note", caller=b"nobody")).status == 401
        assert (await service.post("/note", b"x" * 5_000_001)).status == 413
        assert (await service.post("/note")).status == 200
        assert service.calls.ran == [1]


@pytest.mark.parametrize(
    "headers",
    [
        [("Idempotency-Key", "")],
        [("Idempotency-Key", "k" * 256)],
        [("Idempotency-Key", "tab\t")],
        [("Idempotency-Key", b"\xc3\xa9")],
        [("Idempotency-Key", "one"), ("Idempotency-Key", "one")],
    ],
)
@pytest.mark.parametrize("prefix", ["", "/v1"])
async def test_what_is_no_key_is_refused(tmp_path: Path, prefix: str, headers: Any) -> None:
    async with serving(tmp_path) as service:
        refused = await service.gate("POST", f"{prefix}/note", body=1, headers=headers)
        assert refused.status == 400
        error = refused.json["error"] if prefix else refused.json
        assert error["code"] == "invalid_idempotency_key"
        assert service.calls.ran == []
        assert (await service.post(f"{prefix}/note", key=b"k" * 255)).status == 200


async def test_a_secret_in_the_header_is_not_stored(tmp_path: Path) -> None:
    async with serving(tmp_path) as service:
        key = b"order 7, gpk_0123456789abcdef"
        first = await service.post("/note", key=key)
        assert_replayed(first, await service.post("/note", key=key))
        stored = contents(tmp_path)
    assert stored
    assert not any(b"gpk_0123456789" in content for content in stored)


def contents(directory: Path) -> list[bytes]:
    return [path.read_bytes() for path in directory.rglob("*") if path.is_file()]


async def test_other_methods_know_no_keys(tmp_path: Path) -> None:
    async with serving(tmp_path) as service:
        for _ in range(2):
            reply = await service.gate("PUT", "/note", body=1, headers=[("Idempotency-Key", "one")])
            assert "idempotency-replayed" not in reply.headers
        assert service.calls.ran == [1, 1]


async def test_an_answer_that_is_too_large_is_not_given_again(tmp_path: Path) -> None:
    most = 1_048_576
    async with serving(tmp_path) as service:
        assert_replayed(*await service.twice("/large", most))
        first = await service.post("/large", most + 1, key=b"two")
        assert len(first.body) == most + 1
        again = await service.post("/large", most + 1, key=b"two")
        assert (again.status, again.json["code"]) == (409, "idempotency_answer_not_kept")
        assert "answered with 200" in again.json["detail"]
        assert service.calls.ran == [most, most + 1]
        for _ in range(2):
            reply = await service.post("/v1/large", most + 1, key=b"three")
            assert (reply.status, len(reply.body)) == (200, most + 1)
        assert service.calls.ran == [most, *[most + 1] * 3]


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/slow", 409, "idempotency_key_in_use"),
        ("/v1/slow", 409, "idempotency_key_in_use"),
        ("/v1/edits", 503, "idempotency_key_in_use"),
        ("/v1/engines/a/embeddings", 503, "idempotency_key_in_use"),
    ],
)
async def test_who_waits_too_long_is_told_to_come_again(
    tmp_path: Path, path: str, status: int, code: str
) -> None:
    async with serving(tmp_path, wait=0.5) as service:
        running = asyncio.create_task(service.post(path))
        await service.calls.begun.wait()
        refused = await service.post(path)
        assert refused.status == status
        assert refused.headers["retry-after"] == "1"
        error = refused.json["error"] if path.startswith("/v1") else refused.json
        assert error["code"] == code
        service.calls.goes_on.set()
        assert (await running).status == 200
        assert (await service.post(path)).headers["idempotency-replayed"] == "true"
        assert service.calls.ran == [1]


async def test_an_operation_runs_to_its_end_when_its_caller_leaves(tmp_path: Path) -> None:
    async with serving(tmp_path) as service:
        leaves = asyncio.Event()
        running = asyncio.create_task(service.post("/slow", leaves=leaves))
        await service.calls.begun.wait()
        leaves.set()
        await asyncio.sleep(0.02)
        assert not running.done()
        again = asyncio.create_task(service.post("/slow"))
        await asyncio.sleep(0.02)
        service.calls.goes_on.set()
        await running
        assert (await again).headers["idempotency-replayed"] == "true"
        assert service.calls.ran == [1]


async def test_who_leaves_a_stream_frees_his_key(tmp_path: Path) -> None:
    async with serving(tmp_path) as service:
        leaves = asyncio.Event()
        running = asyncio.create_task(service.post("/v1/events", "waits", leaves=leaves))
        await service.calls.begun.wait()
        leaves.set()
        await running
        assert service.gate.records[-1]["ended"] == CALLER_LEFT
        service.calls.goes_on.set()
        again = await service.post("/v1/events", "waits")
        assert again.body == b"".join(EVENTS)
        assert "idempotency-replayed" not in again.headers
        assert service.calls.ran == ["waits", "waits"]


async def test_who_leaves_an_engine_before_its_answer_frees_his_key(tmp_path: Path) -> None:
    async with serving(tmp_path) as service:
        for _ in range(2):
            assert (await service.post("/v1/leaves")).status == 0
        assert service.calls.ran == [1, 1]


async def test_who_leaves_while_he_waits_changes_nothing(tmp_path: Path) -> None:
    async with serving(tmp_path) as service:
        running = asyncio.create_task(service.post("/slow"))
        await service.calls.begun.wait()
        leaves = asyncio.Event()
        waiting = asyncio.create_task(service.post("/slow", leaves=leaves))
        await asyncio.sleep(0.02)
        leaves.set()
        async with asyncio.timeout(5):
            assert (await waiting).status == 0
        service.calls.goes_on.set()
        assert (await running).status == 200
        assert service.calls.ran == [1]


async def test_a_hundred_at_once_are_one(tmp_path: Path) -> None:
    async with serving(tmp_path) as service:
        asking = [asyncio.create_task(service.post("/slow")) for _ in range(100)]
        await service.calls.begun.wait()
        service.calls.goes_on.set()
        replies = await asyncio.gather(*asking)
        assert service.calls.ran == [1]
        assert {(reply.status, reply.body) for reply in replies} == {(200, b'{"number":1}')}
        assert sum("idempotency-replayed" in reply.headers for reply in replies) == 99
