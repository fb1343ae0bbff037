"""Answers as server-sent events: passed on as they come, an error after the first byte included."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

from fastapi.responses import Response
from starlette.types import Receive, Scope, Send

from plugin.api.doors import GPT
from plugin.api.errors.handlers import problem
from plugin.api.leaving import abandon, close
from plugin.api.middleware import BROKEN_OFF, CALLER_LEFT, Exchange
from plugin.api.waiting import left
from plugin.engines.engine import Events, Whole
from plugin.errors import EngineUnavailable

_HEADERS = {
    "content-type": "text/event-stream; charset=utf-8",
    # proxies shall neither keep events back nor change them
    "cache-control": "no-cache, no-transform",
    "x-accel-buffering": "no",
}
_DONE = b"data: [DONE]\n\n"
_KEEP_ALIVE = b": keep-alive\n\n"
_SILENCE = 15.0
"""Seconds without a byte after which a comment is sent, so that nobody in between hangs up."""


class EventStream(Response):
    """Sends the event stream that `work` ends in; comments keep the connection alive meanwhile.

    `answered` is given the result before anything of it goes out, and returns headers. `ended` is
    called however it ends: whole, broken, or nobody there. That is before the last byte goes out,
    and once more when nothing is under way any longer.

    The answer begins with the first piece, or when that takes long: what fails before is raised,
    and can still become an answer of its own. What fails later is told in an event.
    """

    def __init__(
        self,
        work: Awaitable[Whole | Events],
        exchange: Exchange,
        answered: Callable[[Whole | Events], Mapping[str, str]],
        ended: Callable[[], None],
    ) -> None:
        super().__init__(headers=_HEADERS)
        del self.headers["content-length"]
        self._work = work
        self._exchange = exchange
        self._answered = answered
        self._ended = ended
        self._begun = False
        self._between_events = True
        self._silent = True
        self._given_up = False

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request: send until the end, or until the caller leaves."""
        pump = asyncio.ensure_future(self._pump(send))
        gone = asyncio.ensure_future(left(receive))
        try:
            await self._watch(pump, gone, send)
        except asyncio.CancelledError:
            if not pump.done():
                await self._stop(pump)
                await self._last_words(_stopping(), send)
            raise
        else:
            if not pump.done():
                self._exchange.record.ended = CALLER_LEFT
            await self._stop(pump)
        finally:
            gone.cancel()
            self._ended()
        if not pump.cancelled():
            pump.result()

    async def _stop(self, pump: "asyncio.Future[None]") -> None:
        self._given_up = True
        await _stopped(pump)

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
                await self._begin(send)
                await _send(send, _KEEP_ALIVE)

    async def _pump(self, send: Send) -> None:
        try:
            result = await self._work
        except Exception as error:
            if not self._begun:
                raise
            await self._last_words(error, send)
            return
        self.headers.update(self._answered(result))
        if self._given_up:  # the engine was done in spite of being cancelled
            await abandon(result)
        elif isinstance(result, Whole):
            await self._in_one_piece(result, send)
        else:
            await self._pass_all(result.pieces, send)

    async def _in_one_piece(self, result: Whole, send: Send) -> None:
        """The engine does not stream: its answer is one, as long as none has begun."""
        if self._begun:
            await self._end(b"data: " + result.body.replace(b"\n", b" ") + b"\n\n" + _DONE, send)
            return
        self._begun = True
        self.headers["content-type"] = result.content_type
        self.headers["content-length"] = str(len(result.body))
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        await self._end(result.body, send)

    async def _pass_all(self, pieces: AsyncIterator[bytes], send: Send) -> None:
        held = b""
        try:
            while True:
                try:
                    piece = await anext(pieces)
                except StopAsyncIteration:
                    break
                except Exception as error:
                    if not self._begun:
                        raise
                    await self._last_words(error, send)
                    return
                if held:
                    await self._pass_on(held, send)
                # Whoever has read this has read all: the call is settled before it goes out.
                held = piece if piece.endswith(_DONE) else b""
                if not held:
                    await self._pass_on(piece, send)
            await self._begin(send)
            await self._end(held, send)
        finally:
            await close(pieces)

    async def _pass_on(self, piece: bytes, send: Send) -> None:
        if not self._exchange.streaming:
            self._exchange.first_piece()
        await self._begin(send)
        # A comment must not come between: neither now nor while the caller reads slowly.
        self._silent = self._between_events = False
        await _send(send, piece)
        self._between_events = piece.endswith(b"\n\n")

    async def _begin(self, send: Send) -> None:
        if not self._begun:
            self._begun = True
            headers = self.raw_headers
            await send({"type": "http.response.start", "status": 200, "headers": headers})

    async def _last_words(self, error: Exception, send: Send) -> None:
        self._exchange.record.ended = BROKEN_OFF
        if not self._begun:
            return
        answer = problem(error, None, self._exchange.request_id)
        self._exchange.failed(answer, "broke off")
        begin = b"" if self._between_events else b"\n\n"
        event = begin + GPT.error_event(answer)
        await self._end(event, send)

    async def _end(self, piece: bytes, send: Send) -> None:
        self._ended()  # with the last piece the call is settled
        await send({"type": "http.response.body", "body": piece})


def _stopping() -> EngineUnavailable:
    return EngineUnavailable("The service stopped while it answered; ask again in a moment.")


async def _stopped(task: "asyncio.Future[None]") -> None:
    task.cancel()
    await asyncio.wait({task})


async def _send(send: Send, piece: bytes) -> None:
    await send({"type": "http.response.body", "body": piece, "more_body": True})
