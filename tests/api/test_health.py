from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from fastapi import APIRouter

from plugin.api import health


@pytest.mark.parametrize(("ready", "status"), [(True, 200), (False, 503)])
async def test_ready_when_the_database_answers(
    gate: Callable[..., Any], ready: bool, status: int
) -> None:
    async def answer() -> bool:
        return ready

    call = gate(APIRouter(), health.router)
    call.fastapi.state.services = SimpleNamespace(ready=answer)
    assert (await call("GET", "/readyz", key=None)).status == status
    assert (await call("GET", "/healthz", key=None)).json == {"status": "ok"}
