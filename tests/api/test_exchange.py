"""What a request leaves behind besides its answer."""

from collections.abc import Callable
from typing import Any

import pytest
from fastapi import APIRouter, Request

from plugin.api.doors import GPT
from plugin.api.errors.handlers import problem
from plugin.api.middleware import Exchange, Traffic
from plugin.errors import (
    EngineUnavailable,
    InvalidRequest,
    LimitReached,
    MissingScope,
    PluginError,
    UpstreamRefused,
)
from plugin.operations import operation
from plugin.telemetry.record import RequestRecord
from plugin.trail import current, happened

router = APIRouter(prefix="/notes")


@router.get("", operation_id="list_notes")
@operation(scope="notes:read")
async def list_notes(request: Request) -> str:
    happened("looked", notes=0)
    trail = current.get()
    assert trail is request.scope["plugin.exchange"]
    return str(trail.request_id)


@router.delete("", operation_id="delete_notes")
@operation(scope="notes:write")
async def delete_notes() -> None:
    """Nobody but an owner comes here."""


@pytest.fixture
def call(gate: Callable[..., Any]) -> Any:
    return gate(router)


@pytest.fixture
def exchange() -> Exchange:
    async def send(message: Any) -> None:
        del message

    return Exchange(send, RequestRecord("req_1", "POST"), lambda: 0.25, GPT, Traffic())


async def test_a_request_is_the_current_one_until_it_has_ended(call: Any) -> None:
    reply = await call("GET", "/notes")
    assert reply.json == reply.headers["x-request-id"]
    assert current.get() is None


async def test_who_lacks_a_scope_is_named_in_the_record(call: Any) -> None:
    await call("DELETE", "/notes", key="reader")
    await call("DELETE", "/notes", key=None)
    known, unknown = call.records
    assert (known["caller"], known["code"]) == ("key_reader", "missing_scope")
    assert (unknown["caller"], unknown["code"]) == (None, "not_authenticated")


@pytest.mark.parametrize(
    ("error", "status", "told"),
    [
        (MissingScope("The key lacks it."), 403, True),
        (EngineUnavailable("It starts."), 503, True),
        (InvalidRequest("You sent 'my secret'."), 400, False),
        (UpstreamRefused("It says: my secret", status=503), 503, False),
        (UpstreamRefused("It says: my secret", status=429), 429, False),
    ],
)
def test_a_text_is_kept_when_it_is_ours_alone(
    exchange: Exchange, error: PluginError, status: int, told: bool
) -> None:
    exchange.failed(problem(error, None, "req_1"))
    (event,) = exchange.way
    assert (event["what"], event["status"]) == ("refused", status)
    assert (event.get("text") == error.detail) is told
    assert "secret" not in str(exchange.way) + str(exchange.record)


def test_a_refusal_names_its_limit(exchange: Exchange) -> None:
    error = LimitReached("No.", headers={}, limit="key-requests-day")
    exchange.failed(problem(error, None, "req_1"))
    assert (exchange.record.code, exchange.record.limit) == (
        "rate_limit_exceeded",
        "key-requests-day",
    )
    assert exchange.way[0]["limit"] == "key-requests-day"


def test_the_first_piece_of_a_stream_is_timed_and_the_stream_counted_once(
    exchange: Exchange,
) -> None:
    exchange.first_piece()
    exchange.first_piece()
    assert exchange.traffic is not None
    assert exchange.traffic.streams == 1
    assert exchange.record.first_ms == 250.0
