import random
from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Depends, Request
from fastapi.responses import StreamingResponse
from starlette.requests import ClientDisconnect

from plugin.errors import CannotRun
from plugin.operations import CurrentCaller, operation

router = APIRouter(prefix="/notes")
public = APIRouter()


@router.get("", operation_id="list_notes")
@operation(scope="notes:read")
async def list_notes(caller: CurrentCaller) -> str:
    return caller.id


@router.post("", operation_id="add_note")
@operation(scope="notes:write")
async def add_note(caller: CurrentCaller) -> str:
    return caller.id


@router.get("/{note_id}", operation_id="get_note")
@operation(scope="notes:read")
async def get_note(note_id: str) -> str:
    return note_id


@router.get("/{note_id}/stream", operation_id="stream_note")
@operation(scope="notes:read")
async def stream_note(note_id: str) -> StreamingResponse:
    async def lines() -> AsyncIterator[bytes]:
        yield b"first"
        raise ValueError(note_id)

    return StreamingResponse(lines())


@router.get("/{note_id}/gone", operation_id="gone_note")
@operation(scope="notes:read")
async def gone_note(note_id: str) -> str:
    raise ClientDisconnect(note_id)


@public.get("/healthz")
async def healthz(request: Request) -> dict[str, Any]:
    return {"caller": request.scope.get("plugin.caller"), "path": request.url.path}


@public.options("/shared")
@public.get("/shared")
async def shared() -> str:
    return "shared"


@pytest.fixture
def call(gate: Callable[..., Any]) -> Any:
    return gate(router, public)


async def test_a_caller_reaches_an_operation(call: Any) -> None:
    reply = await call("GET", "/notes")
    assert (reply.status, reply.json) == (200, "key_all")


async def test_without_a_caller_nothing_but_what_is_open(call: Any) -> None:
    refused = await call("GET", "/notes", key=None)
    assert refused.status == 401
    assert refused.headers["www-authenticate"] == "Bearer"
    assert refused.json["code"] == "not_authenticated"
    opened = await call("GET", "/healthz", key=None)
    assert (opened.status, opened.json["caller"]) == (200, None)
    assert (await call("GET", "/healthz", key="wrong")).status == 200


async def test_a_scope_that_is_missing_is_named(call: Any) -> None:
    assert (await call("GET", "/notes", key="reader")).status == 200
    refused = await call("POST", "/notes", key="reader")
    assert refused.status == 403
    assert "needs the scope notes:write; the key has notes:read" in refused.json["detail"]
    assert refused.headers["www-authenticate"] == (
        'Bearer realm="gpt-plugin", error="insufficient_scope", scope="notes:write"'
    )


@pytest.mark.parametrize(
    "path", ["/nothing", "/", "", "//notes", "/notes/a/b/c", "/NOTES", "/é\x00"]
)
@pytest.mark.parametrize("key", ["all", None, "wrong"])
async def test_what_is_not_there_is_not_there_for_anyone(
    call: Any, path: str, key: str | None
) -> None:
    reply = await call("GET", path, key=key)
    assert (reply.status, reply.json["code"]) == (404, "not_found")


@pytest.mark.parametrize("method", ["PUT", "DELETE", "TRACE", "CONNECT", "BREW", "get", ""])
async def test_a_method_that_is_not_offered(call: Any, method: str) -> None:
    reply = await call(method, "/notes", key=None)
    assert reply.status == 405
    assert reply.headers["allow"] == "GET, HEAD, OPTIONS, POST"
    assert "use GET or POST" in reply.json["detail"]


async def test_options_tells_what_is_allowed(call: Any) -> None:
    reply = await call("OPTIONS", "/notes/7", key=None)
    assert (reply.status, reply.headers["allow"], reply.body) == (204, "GET, HEAD, OPTIONS", b"")
    own = await call("OPTIONS", "/shared", key=None)
    assert (own.status, own.json) == (200, "shared")


async def test_head_is_get_without_content(call: Any) -> None:
    got, head = await call("GET", "/notes"), await call("HEAD", "/notes")
    assert (head.status, head.body) == (200, b"")
    assert head.headers["content-length"] == got.headers["content-length"]
    refused = await call("HEAD", "/notes", key=None)
    assert (refused.status, refused.body) == (401, b"")


@pytest.mark.parametrize(
    ("path", "query", "location"),
    [
        ("/notes/", "", "/notes"),
        ("/notes/", "limit=1&x=%2F", "/notes?limit=1&x=%2F"),
        ("/notes/7/", "", "/notes/7"),
        ("/notes/a b\r\nx/", "", "/notes/a%20b%0D%0Ax"),
    ],
)
async def test_a_slash_too_many_is_redirected(
    call: Any, path: str, query: str, location: str
) -> None:
    reply = await call("POST", path, query=query, key=None, headers=[("host", "evil.example")])
    assert reply.status == 307
    assert reply.headers["location"] == location


async def test_no_redirect_leads_to_another_host(gate: Callable[..., Any]) -> None:
    greedy = APIRouter()

    @greedy.get("/{rest:path}/x", operation_id="take_all")
    @operation(scope="notes:read")
    async def take_all(rest: str) -> str:
        return rest

    reply = await gate(greedy)("GET", "//evil.example/x/", key=None)
    assert reply.status == 404


async def test_the_host_header_changes_nothing(call: Any) -> None:
    for host in ("evil.example", "localhost/healthz", "a@b", "", "[::1", "127.0.0.1:8000#"):
        for name in ("host", "x-forwarded-host", "x-original-url", "x-rewrite-url"):
            reply = await call("GET", "/notes", key=None, headers=[(name, host)])
            assert reply.status == 401
    tricky = await call("GET", "/notes", key=None, headers=[("x-original-url", "/healthz")])
    assert tricky.status == 401


async def test_a_mounted_service_knows_its_root(call: Any) -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    scope = {
        "type": "http",
        "method": "GET",
        "path": "/sub/healthz",
        "root_path": "/sub",
        "query_string": b"",
        "headers": [],
    }
    await call.app(scope, receive, send)
    assert sent[0]["status"] == 200


async def test_an_answer_cut_off_looks_cut_off(call: Any) -> None:
    with pytest.raises(ValueError, match="7"):
        await call("GET", "/notes/7/stream")
    assert call.records[-1]["status"] == 200


async def test_nobody_is_answered_when_the_caller_left(call: Any) -> None:
    assert (await call("GET", "/notes/7/gone")).status == 0


async def test_web_sockets_are_refused(call: Any) -> None:
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    await call.app({"type": "websocket", "path": "/notes", "headers": []}, receive, send)
    assert [message["type"] for message in sent] == ["websocket.close"]


async def test_no_odd_request_ends_in_a_5xx(call: Any) -> None:
    dice = random.Random(7)  # noqa: S311 - repeatable on purpose
    pieces = [
        "/",
        "notes",
        "//",
        "..",
        "%2e",
        "\x00",
        "é",
        "\U0001f600",
        "a" * 300,
        "?",
        "\n",
        "{x}",
    ]
    methods = ["GET", "HEAD", "POST", "OPTIONS", "PATCH", "\x00", "G" * 300]
    for _ in range(1_000):
        path = "/" + "".join(dice.choices(pieces, k=dice.randrange(6)))
        name = dice.choice(["content-length", "content-type", "x-request-id", "host", "accept"])
        value = dice.choice(["", "-1", "9" * 400, "\x00", "1e3", "é", "a" * 500, " 7"])
        reply = await call(
            dice.choice(methods), path, key=dice.choice([None, "x"]), headers=[(name, value)]
        )
        assert 200 <= reply.status < 500, (path, name, value, reply)


def test_a_route_that_declares_nothing_stops_the_start(gate: Callable[..., Any]) -> None:
    careless = APIRouter()

    @careless.get("/open")
    async def opened() -> str:
        return "open"

    with pytest.raises(CannotRun, match="/open is neither public nor declared"):
        gate(careless)


def test_what_the_gate_cannot_guard_stops_the_start(gate: Callable[..., Any]) -> None:
    async def anything(_scope: Any, _receive: Any, _send: Any) -> None: ...

    mounting = APIRouter()
    mounting.mount("/inside", anything)
    with pytest.raises(CannotRun, match="cannot guard"):
        gate(mounting)

    socket = APIRouter()

    @socket.websocket("/ws")
    async def ws(websocket: Any) -> None: ...

    with pytest.raises(CannotRun, match="cannot guard"):
        gate(socket)


async def test_the_dependencies_of_a_router_are_kept(gate: Callable[..., Any]) -> None:
    seen: list[str] = []

    async def note(request: Request) -> None:
        seen.append(request.url.path)

    inner = APIRouter()

    @inner.get("/x", operation_id="in_x")
    @operation(scope="notes:read")
    async def in_x(_seen: Annotated[None, Depends(note)] = None) -> str:
        return "x"

    outer = APIRouter(prefix="/outer", dependencies=[Depends(note)])
    outer.include_router(inner)
    assert (await gate(outer)("GET", "/outer/x")).json == "x"
    assert seen == ["/outer/x"]
