"""From a checked request to its answer: finds the engine, asks it, stops it when nobody waits."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from fastapi import Request
from fastapi.responses import Response
from starlette.requests import ClientDisconnect

from plugin.api.leaving import while_there
from plugin.api.middleware import CALLER_LEFT, Exchange
from plugin.api.v1.operation_names import operation_of
from plugin.api.v1.reservation import bound
from plugin.api.v1.sse import EventStream
from plugin.auth.caller import Caller
from plugin.engines.catalog import Answering, Catalog
from plugin.engines.engine import Ask, Events, Upload, Whole
from plugin.gate.prices import Bound
from plugin.messages import Usage

ANSWERED_BY = "openai-model"
"""The header that names the model which answered, and its engine."""

Work = Callable[[Answering], Awaitable[Whole | Events]]


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
    exchange.record.model = found.requested
    exchange.record.operation = operation_of(request.scope["route"].path)
    doing = _reserved(exchange, found, body, work)
    if body.get("stream"):
        return _streamed(doing, exchange)
    try:
        result = await while_there(request.receive, doing)
    except ClientDisconnect:
        exchange.record.ended = CALLER_LEFT
        raise
    return respond(result, exchange)


def _streamed(doing: Awaitable[Whole | Events], exchange: Exchange) -> Response:
    """The event stream that an engine answers with, alive from the start of the waiting."""
    usage = Usage()

    def answered(result: Whole | Events) -> Mapping[str, str]:
        nonlocal usage
        usage = result.usage
        return _answered(result, exchange)

    return EventStream(doing, exchange, answered, lambda: note_usage(exchange, usage))


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
    if isinstance(result, Whole):
        headers = _answered(result, exchange)
        note_usage(exchange, result.usage)
        return Response(result.body, media_type=result.content_type, headers=headers)

    async def at_once() -> Events:
        return result

    return _streamed(at_once(), exchange)


def _answered(result: Whole | Events, exchange: Exchange) -> dict[str, str]:
    exchange.record.answered_by = result.answered_by
    return {ANSWERED_BY: str(result.answered_by)}


def note_usage(exchange: Exchange, usage: Usage) -> None:
    """Tell the record of a request what it took."""
    exchange.record.tokens_in = usage.prompt_tokens
    exchange.record.tokens_out = usage.completion_tokens
