"""From a checked request to its answer: finds the engine, asks it, stops it when nobody waits."""

import asyncio
from collections.abc import Awaitable, Mapping
from typing import Any, TypeVar

from fastapi import Request
from fastapi.responses import Response
from starlette.requests import ClientDisconnect
from starlette.types import Receive

from plugin.api.middleware import Exchange
from plugin.api.v1.sse import EventStream, left
from plugin.engines.catalog import Catalog
from plugin.engines.engine import Ask, Events, Upload, Whole
from plugin.messages import Usage

ANSWERED_BY = "openai-model"
"""The header that names the model which answered, and its engine."""

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
    catalog: Catalog = request.app.state.services.catalog
    found = catalog.find(body["model"])
    exchange: Exchange = request.scope["plugin.exchange"]
    exchange.notes["model"] = found.requested
    given = {name: value for name, value in body.items() if value is not None}
    ask = Ask(path, given, found.requested, found.model.id, unknown, upload)
    result = await while_there(request.receive, found.engine.answer(ask))
    return respond(result, exchange)


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
    task, gone = asyncio.ensure_future(work), asyncio.ensure_future(left(receive))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientDisconnect
        return task.result()
    finally:
        gone.cancel()
        if not task.done():
            task.cancel()
            await asyncio.wait({task})
