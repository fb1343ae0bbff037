"""Requests that the connection or a limit refuses before an operation sees them or their body."""

from collections.abc import Mapping

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from plugin.api.errors.handlers import problem
from plugin.api.local_path import local_path
from plugin.api.middleware import Exchange
from plugin.errors import BodyTooLarge, PluginError

FAULT = "plugin.fault"
"""Where a connection leaves in the scope why it cannot read a request: a `PluginError`."""


class BodyLimit:
    """Refuses request bodies over `limit` bytes, announced or streamed; a path may have its own.

    It answers for the connection too, where that found a `FAULT` in the head or in the body.
    """

    def __init__(self, app: ASGIApp, limit: int, of_paths: Mapping[str, int] | None = None) -> None:
        self._app = app
        self._limit = limit
        self._of_paths = of_paths or {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request; everything else passes."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = self._of_paths.get(local_path(scope), self._limit)
        exchange: Exchange = scope["plugin.exchange"]
        exchange.announced = _announced(scope)
        if FAULT in scope:
            await _refuse(scope, send, scope[FAULT])
            return
        if exchange.announced > limit:
            await _refuse(scope, send, BodyTooLarge(_detail(limit)))
            return
        left = limit

        async def counted() -> Message:
            nonlocal left
            message = await receive()
            if FAULT in scope:
                fault: PluginError = scope[FAULT]
                raise HTTPException(fault.status, fault.detail)
            left -= len(message.get("body", b""))
            if left < 0:
                # FastAPI turns any other exception of a body into "400, cannot be parsed".
                raise HTTPException(BodyTooLarge.status, _detail(limit))
            return message

        await self._app(scope, counted, send)


async def _refuse(scope: Scope, send: Send, error: PluginError) -> None:
    exchange: Exchange = scope["plugin.exchange"]
    answer = problem(error, None, exchange.request_id)
    exchange.failed(answer)
    await exchange.door.refuse(send, answer, exchange.request_id)


def _detail(limit: int) -> str:
    return f"A request body may have {limit} bytes at most; send less."


def _announced(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value[:19])
    return 0
