"""What callers of a worker hear of its end."""

import asyncio
import json
from typing import Any

from starlette.types import Message, Receive, Scope, Send

from plugin.api.draining import Draining
from plugin.api.middleware import RequestLog


class Sent:
    """What an application has sent."""

    def __init__(self) -> None:
        self.messages = list[Any]()

    async def __call__(self, message: Message) -> None:
        self.messages.append(message)

    @property
    def headers(self) -> dict[bytes, bytes]:
        return dict(self.messages[0]["headers"])

    @property
    def body(self) -> Any:
        return json.loads(b"".join(one["body"] for one in self.messages[1:]))


def scope(path: str) -> Scope:
    return {"type": "http", "method": "GET", "path": path, "headers": [], "client": None}


async def receive() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}


async def fine(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"{}"})


async def hangs(_scope: Scope, _receive: Receive, _send: Send) -> None:
    await asyncio.sleep(60)


async def hangs_half_way(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await asyncio.sleep(60)


def layered(app: Any) -> Draining:
    return Draining(RequestLog(app, None, lambda: 0.0))


def called(layer: Draining, path: str = "/todos") -> Sent:
    sent = Sent()
    asyncio.run(layer(scope(path), receive, sent))
    return sent


def cancelled(layer: Draining, path: str) -> Sent:
    sent = Sent()

    async def run() -> None:
        task = asyncio.ensure_future(layer(scope(path), receive, sent))
        await asyncio.sleep(0.01)
        task.cancel()
        await task

    asyncio.run(run())
    return sent


def test_before_it_drains_it_changes_nothing() -> None:
    layer = layered(fine)
    assert b"connection" not in called(layer).headers
    assert called(layer, "/readyz").messages[0]["status"] == 200


def test_while_it_drains_connections_end_with_their_answer() -> None:
    layer = layered(fine)
    layer.drain()
    sent = called(layer)
    assert sent.messages[0]["status"] == 200
    assert sent.headers[b"connection"] == b"close"


def test_while_it_drains_it_is_not_ready() -> None:
    layer = layered(fine)
    layer.drain()
    sent = called(layer, "/readyz")
    assert (sent.messages[0]["status"], sent.body) == (503, {"status": "draining"})
    assert sent.headers[b"connection"] == b"close"


def test_a_request_that_is_cancelled_is_told_so() -> None:
    for path, detail in (("/todos", "detail"), ("/v1/chat/completions", "error")):
        sent = cancelled(layered(hangs), path)
        assert sent.messages[0]["status"] == 503
        assert sent.headers[b"connection"] == b"close"
        assert sent.headers[b"retry-after"] == b"1"
        assert b"x-request-id" in sent.headers
        assert "stopped before it could answer" in json.dumps(sent.body[detail])


def test_what_has_begun_gets_no_second_answer() -> None:
    sent = cancelled(layered(hangs_half_way), "/todos")
    assert [one["type"] for one in sent.messages] == ["http.response.start"]
