"""The outermost layer of a worker: what its callers hear of its end."""

import asyncio
from http import HTTPStatus

import orjson
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from plugin.api.errors.handlers import problem
from plugin.api.local_path import local_path
from plugin.errors import EngineUnavailable

_CLOSE = (b"connection", b"close")
_NOT_READY = orjson.dumps({"status": "draining"})


class Draining:
    """Passes requests on. Once it drains, `/readyz` says so, and connections end with an answer.

    A request that is cancelled because its time is up is answered as well, where nothing was yet.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._drains = False

    def drain(self) -> None:
        """Tell whoever asks from now on to look elsewhere."""
        self._drains = True

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request; everything else passes."""
        if self._drains and scope["type"] == "http":
            send = _closing(send)
            if local_path(scope) == "/readyz":
                await _not_ready(send)
                return
        try:
            await self._app(scope, receive, send)
        except asyncio.CancelledError:
            # The server cancels requests at its end alone, and wants no error from them.
            if scope["type"] != "http":
                raise
            await _cut_short(scope)


def _closing(send: Send) -> Send:
    async def closing(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", ()), _CLOSE]
        await send(message)

    return closing


async def _not_ready(send: Send) -> None:
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(_NOT_READY)),
        (b"cache-control", b"no-store"),
    ]
    status = HTTPStatus.SERVICE_UNAVAILABLE
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": _NOT_READY})


async def _cut_short(scope: Scope) -> None:
    exchange = scope.get("plugin.exchange")
    if exchange is None or exchange.status is not None:
        return
    stopping = EngineUnavailable(
        "The service stopped before it could answer; ask again in a moment.",
        headers={"retry-after": "1"},
    )
    answer = problem(stopping, None, exchange.request_id)
    await exchange.door.refuse(_closing(exchange.send), answer, exchange.request_id)
