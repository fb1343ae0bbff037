"""Answers as server-sent events: passed on as they come, an error after the first byte included."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress

import orjson
from fastapi.responses import Response
from starlette.types import Receive, Scope, Send

from plugin.api.exception_handlers import problem
from plugin.api.middleware import Exchange

_HEADERS = {
    "content-type": "text/event-stream; charset=utf-8",
    # proxies shall neither keep events back nor change them
    "cache-control": "no-cache, no-transform",
    "x-accel-buffering": "no",
}
_KEEP_ALIVE = b": still here\n\n"
_SILENCE = 15.0
"""Seconds without a byte after which a comment is sent, so that nobody in between hangs up."""


class EventStream(Response):
    """Sends `pieces`; `ended` is called once, however it ends: whole, broken, or nobody there."""

    def __init__(
        self,
        pieces: AsyncIterator[bytes],
        headers: Mapping[str, str],
        exchange: Exchange,
        ended: Callable[[], None],
    ) -> None:
        super().__init__(headers={**_HEADERS, **headers})
        del self.headers["content-length"]
        self._pieces = pieces
        self._exchange = exchange
        self._ended = ended
        self._between_events = True
        self._silent = True

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request: send until the end, or until the caller leaves."""
        start = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
        await send(start)
        pump = asyncio.ensure_future(self._pump(send))
        gone = asyncio.ensure_future(left(receive))
        try:
            await self._watch(pump, gone, send)
            if pump.done():
                pump.result()
            else:
                self._exchange.notes["ended"] = "caller left"
        finally:
            gone.cancel()
            pump.cancel()
            await asyncio.wait({pump})
            self._ended()

    async def _watch(
        self, pump: "asyncio.Future[None]", gone: "asyncio.Future[None]", send: Send
    ) -> None:
        while True:
            self._silent = True
            done, _ = await asyncio.wait(
                {pump, gone}, timeout=_SILENCE, return_when=asyncio.FIRST_COMPLETED
            )
            if done:
                return
            if self._silent and self._between_events:
                await _send(send, _KEEP_ALIVE)

    async def _pump(self, send: Send) -> None:
        try:
            async for piece in self._pieces:
                self._silent, self._between_events = False, piece.endswith(b"\n\n")
                await _send(send, piece)
        except Exception as error:  # noqa: BLE001 - whatever it was, the caller is told
            await _send(send, self._last_words(error))
        finally:
            close = getattr(self._pieces, "aclose", None)
            if close is not None:
                with suppress(RuntimeError):
                    await close()
        await send({"type": "http.response.body", "body": b""})

    def _last_words(self, error: Exception) -> bytes:
        self._exchange.notes["ended"] = "broken off"
        body = problem(error, None, self._exchange.request_id).openai_body()
        begin = b"" if self._between_events else b"\n\n"
        return begin + b"data: " + orjson.dumps(body) + b"\n\n"


async def _send(send: Send, piece: bytes) -> None:
    await send({"type": "http.response.body", "body": piece, "more_body": True})


async def left(receive: Receive) -> None:
    """Return when the caller has gone; its body has been read by then."""
    while (await receive())["type"] != "http.disconnect":
        pass
