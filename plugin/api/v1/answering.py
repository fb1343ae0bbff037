"""From a checked request to its answer: finds the engine, asks it, stops it when nobody waits."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, TypeVar

from fastapi import Request
from fastapi.responses import Response
from starlette.requests import ClientDisconnect
from starlette.types import Receive

from plugin.api.middleware import CALLER_LEFT, Exchange
from plugin.api.v1.sse import EventStream, close
from plugin.api.waiting import left
from plugin.auth.caller import Caller
from plugin.engines.catalog import Answering, Catalog
from plugin.engines.engine import Ask, Events, Upload, Whole
from plugin.gate.prices import Bound, bound
from plugin.messages import Usage

ANSWERED_BY = "openai-model"
"""The header that names the model which answered, and its engine."""

_UNWATCHED = 0.02
"""Seconds for which it is not seen that a caller has left."""

Work = Callable[[Answering], Awaitable[Whole | Events]]

T = TypeVar("T")


async def answer(
    request: Request,
    path: str,
    body: Mapping[str, Any],
    *,
    unknown: tuple[str, ...] = (),
    upload: Upload | None = None,
) -> Response:
    """Answer `body`, which has passed its wire model, by the engine of `body["model"]`."""
    given = {name: value for name, value in body.items() if value is not None}

    caller: Caller = request.scope["plugin.caller"]

    def work(found: Answering) -> Awaitable[Whole | Events]:
        ask = Ask(path, given, found.requested, found.model.id, unknown, upload, caller.id)
        return found.engine.answer(ask)

    return await answer_by(request, given, work)


async def answer_by(request: Request, body: Mapping[str, Any], work: Work) -> Response:
    """What `work` makes of whoever answers for the model of `body`, which has no nulls.

    Raises `ModelNotFound`, `LimitReached`, and what `work` raises.

    When the caller leaves, the work is cancelled and `ClientDisconnect` raised.
    """
    catalog: Catalog = request.app.state.services.catalog
    exchange: Exchange = request.scope["plugin.exchange"]
    found = catalog.find(body["model"])
    exchange.notes["model"] = found.requested
    try:
        result = await while_there(request.receive, _reserved(exchange, found, body, work))
    except ClientDisconnect:
        exchange.notes["ended"] = CALLER_LEFT
        raise
    return respond(result, exchange)


async def _reserved(
    exchange: Exchange, found: Answering, body: Mapping[str, Any], work: Work
) -> Whole | Events:
    """The work, once the caller's limits have room for what it may take."""
    if exchange.admission is not None:

        def most() -> Bound:
            return bound(body, found.model.context_window)

        await exchange.admission.reserve(found.model.id, most)
        exchange.standing = exchange.admission.standing
    if exchange.trace is not None:
        exchange.trace.engine(found.model.id)
    return await work(found)


def respond(result: Whole | Events, exchange: Exchange) -> Response:
    """The response that carries an engine's answer; the record of the request learns its usage."""
    exchange.notes["answered_by"] = result.answered_by
    headers = {ANSWERED_BY: result.answered_by}
    if isinstance(result, Whole):
        note_usage(exchange, result.usage)
        return Response(result.body, media_type=result.content_type, headers=headers)
    return EventStream(result.pieces, headers, exchange, lambda: note_usage(exchange, result.usage))


def note_usage(exchange: Exchange, usage: Usage) -> None:
    """Tell the record of a request what it took."""
    exchange.notes["tokens_in"] = usage.prompt_tokens
    exchange.notes["tokens_out"] = usage.completion_tokens


async def while_there(receive: Receive, work: Awaitable[T]) -> T:
    """What `work` gives; cancelled, and `ClientDisconnect` raised, when the caller leaves first."""
    presence = _Presence(receive)
    try:
        result = await work
    except (Exception, asyncio.CancelledError) as error:
        if presence.forgive():
            raise ClientDisconnect from error
        raise
    finally:
        presence.end()
    if presence.forgive():  # the work has come to its end in spite of it
        await _abandon(result)
        raise ClientDisconnect
    return result


class _Presence:
    """Looks whether the caller is there, and cancels the task that made it when he is not.

    Not from the start: most work is done before it would be worth a task that watches.
    """

    __slots__ = ("_ended", "_gone", "_looking", "_receive", "_task", "_timer")

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._task = asyncio.current_task()
        self._looking: asyncio.Future[None] | None = None
        self._gone = self._ended = False
        self._timer = asyncio.get_running_loop().call_later(_UNWATCHED, self._look)

    def forgive(self) -> bool:
        """Whether the task was cancelled from here, and by nobody else."""
        if not self._gone or self._task is None:
            return False
        self._gone = False
        return not self._task.uncancel()

    def end(self) -> None:
        """Look no longer."""
        self._ended = True
        self._timer.cancel()
        if self._looking is not None:
            self._looking.cancel()

    def _look(self) -> None:
        self._looking = asyncio.ensure_future(left(self._receive))
        self._looking.add_done_callback(self._left)

    def _left(self, looking: "asyncio.Future[None]") -> None:
        if self._ended or looking.cancelled() or self._task is None:
            return
        looking.exception()  # whatever it was, nobody can be answered there
        self._gone = True
        self._task.cancel()


async def _abandon(result: object) -> None:
    """Stop an event stream that has begun by now."""
    pieces: AsyncIterator[bytes] | None = getattr(result, "pieces", None)
    if pieces is not None:
        await close(pieces)
