from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from fastapi import APIRouter

from plugin.api import health
from plugin.engines.catalog import Catalog

Ask = Callable[..., Any]


@pytest.fixture
def ask(gate: Callable[..., Any]) -> Ask:
    async def asking(database: bool, **states: str) -> Any:
        async def ready() -> bool:
            return database

        engines = {name: lambda state=state: state for name, state in states.items()}
        call = gate(APIRouter(), health.router)
        call.fastapi.state.services = SimpleNamespace(ready=ready, catalog=Catalog([], {}, engines))
        assert (await call("GET", "/healthz", key=None)).json == {"status": "ok"}
        return await call("GET", "/readyz", key=None)

    return asking


async def test_ready_when_the_database_answers(ask: Ask) -> None:
    reply = await ask(True)
    assert (reply.status, reply.json) == (
        200,
        {"status": "ready", "parts": {"database": "ready"}},
    )


async def test_not_ready_without_the_database_whatever_else_works(ask: Ask) -> None:
    reply = await ask(False, engine="ready")
    assert reply.status == 503
    assert reply.json == {
        "status": "the database does not answer",
        "parts": {"database": "down", "engine": "ready"},
    }


async def test_an_engine_that_is_down_is_named_and_the_rest_is_served(ask: Ask) -> None:
    reply = await ask(True, engine="restarting", vllm="closed", other="open", third="half-open")
    assert reply.status == 200
    assert reply.json == {
        "status": "ready, but not all of it: engine, other, third",
        "parts": {
            "database": "ready",
            "engine": "restarting",
            "vllm": "ok",
            "other": "failing",
            "third": "probing",
        },
    }


async def test_all_is_well(ask: Ask) -> None:
    assert (await ask(True, engine="ready", vllm="closed")).json["status"] == "ready"
