from collections.abc import Callable
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Body, Request

from plugin.operations import operation

router = APIRouter(prefix="/notes")


@router.post("/{note_id}", operation_id="put_note")
@operation(scope="notes:read")
async def put_note(note_id: str, text: Annotated[str, Body()]) -> str:
    return note_id + text[:1]


@router.put("/raw", operation_id="put_raw")
@operation(scope="notes:read")
async def put_raw(request: Request) -> int:
    return len(await request.body())


@pytest.fixture
def call(gate: Callable[..., Any]) -> Any:
    return gate(router, limit=100)


@pytest.mark.parametrize("given", ["abc", "A-1.b_c", "task-1", "0" * 128])
async def test_a_sane_request_id_is_kept(call: Any, given: str) -> None:
    reply = await call("GET", "/", headers=[("x-request-id", given)])
    assert reply.headers["x-request-id"] == given
    assert reply.json["request_id"] == given


@pytest.mark.parametrize("given", ["", "a b", "-a", "é", "0" * 129, 'a"', "a\r\nx: y", "{{}}"])
async def test_an_odd_request_id_is_replaced(call: Any, given: str) -> None:
    reply = await call("GET", "/", headers=[("x-request-id", given)])
    assert reply.headers["x-request-id"].startswith("req_")


@pytest.mark.parametrize(
    "given", ["gpk_0123", "id-gpk_0123456789", "a.sk-proj-1", "xeyJhbGciOiJIUzI1NiJ9.e30.x"]
)
async def test_a_request_id_that_contains_a_key_is_replaced(call: Any, given: str) -> None:
    reply = await call("GET", "/", headers=[("x-request-id", given)])
    assert reply.headers["x-request-id"].startswith("req_")


async def test_every_answer_has_an_id_of_its_own(call: Any) -> None:
    replies = [
        await call("PUT", "/notes/raw", body=b"1"),
        await call("PUT", "/notes/raw", key=None),
        await call("GET", "/nothing"),
        await call("PUT", "/notes/raw", body=b"1" * 500),
    ]
    assert [reply.status for reply in replies] == [200, 401, 404, 413]
    assert len({reply.headers["x-request-id"] for reply in replies}) == 4


async def test_a_body_that_is_announced_too_large_is_not_read(call: Any) -> None:
    reply = await call("PUT", "/notes/raw", body=b"x" * 101, key=None)
    assert reply.status == 413
    assert reply.json["code"] == "body_too_large"
    assert "100 bytes" in reply.json["detail"]
    assert (await call("PUT", "/notes/raw", body=b"x" * 100)).json == 100


@pytest.mark.parametrize(("method", "path"), [("PUT", "/notes/raw"), ("POST", "/notes/1")])
async def test_a_body_that_grows_too_large_is_cut_off(call: Any, method: str, path: str) -> None:
    reply = await call(method, path, pieces=[b"x" * 60, b"x" * 60, b"x" * 60])
    assert reply.status == 413
    assert reply.json["code"] == "body_too_large"
    lying = await call(
        method, path, pieces=[b"x" * 60, b"x" * 60], headers=[("content-length", "5")]
    )
    assert lying.status == 413


async def test_one_record_a_request_without_anything_secret(call: Any) -> None:
    await call("POST", "/notes/7", body=b'"hello"', query="secret=hunter2")
    await call("POST", "/notes/7", body=b'"hello"')
    await call("GET", "/hunter2", headers=[("cookie", "hunter2")], key="hunter2")
    refused, done, missing = call.records
    assert refused["status"] == 422
    assert {key: done[key] for key in ("event", "method", "path", "status", "caller")} == {
        "event": "request",
        "method": "POST",
        "path": "/notes/{note_id}",
        "status": 200,
        "caller": "key_all",
    }
    assert done["bytes"] == len(b'"7h"')
    assert isinstance(done["ms"], float)
    assert missing["path"] is None
    assert "hunter2" not in str(call.records)
    assert "hello" not in str(call.records)


async def test_the_lifespan_passes(call: Any) -> None:
    messages = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]
    sent: list[Any] = []

    async def receive() -> Any:
        return messages.pop(0)

    async def send(message: Any) -> None:
        sent.append(message["type"])

    await call.app({"type": "lifespan", "state": {}}, receive, send)
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert call.records == []
