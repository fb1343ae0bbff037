"""What our connections and our server use of uvicorn: the first test to fail when it changes."""

import asyncio
import inspect

import pytest
import uvicorn

from plugin.server.http.protocol import GuardedHttp
from plugin.server.http.uvicorn_private import (
    HIGH_WATER_LIMIT,
    HttpToolsProtocol,
    RequestResponseCycle,
    ServerState,
)

OF_A_CONNECTION = [
    "access_log",
    "access_logger",
    "app",
    "app_state",
    "asgi_version",
    "client",
    "config",
    "cycle",
    "expect_100_continue",
    "flow",
    "headers",
    "logger",
    "loop",
    "parser",
    "pipeline",
    "scheme",
    "scope",
    "server",
    "server_state",
    "transport",
    "url",
]
"""Attributes that `write_coalescing`, `requests` and `protocol` read or set."""


async def made() -> HttpToolsProtocol:
    config = uvicorn.Config(lambda: None, lifespan="off", log_config=None)
    config.load()
    connection = HttpToolsProtocol(config, ServerState(), {})
    transport = asyncio.Transport()
    connection.connection_made(_Silent(transport))
    return connection


class _Silent(asyncio.Transport):
    def __init__(self, _: asyncio.Transport) -> None:
        super().__init__()

    def get_extra_info(self, name: str, default: object = None) -> object:
        del name
        return default

    def is_closing(self) -> bool:
        return False


async def test_a_connection_has_what_is_used_of_it() -> None:
    connection = await made()
    connection.on_message_begin()
    missing = [name for name in OF_A_CONNECTION if not hasattr(connection, name)]
    assert missing == []
    flow = connection.flow
    assert {name for name in ("pause_reading", "resume_reading", "drain") if hasattr(flow, name)}
    assert hasattr(flow, "read_paused")


@pytest.mark.parametrize(
    "method",
    [
        *("connection_made", "connection_lost", "data_received", "eof_received", "shutdown"),
        *("on_message_begin", "on_url", "on_header", "on_headers_complete", "on_body"),
        *("on_message_complete", "on_response_complete", "_start_asgi_task"),
    ],
)
def test_each_method_that_is_overridden_or_called_takes_the_same(method: str) -> None:
    theirs = list(inspect.signature(getattr(HttpToolsProtocol, method)).parameters)
    ours = list(inspect.signature(getattr(GuardedHttp, method)).parameters)
    assert len(theirs) == len(ours)


def test_a_cycle_takes_what_requests_gives_it() -> None:
    assert set(inspect.signature(RequestResponseCycle).parameters) == {
        *("scope", "transport", "flow", "logger", "access_logger", "access_log"),
        *("default_headers", "message_event", "expect_100_continue", "keep_alive", "on_response"),
    }
    told = inspect.getsource(RequestResponseCycle)
    for name in (
        *("body", "more_body", "disconnected", "response_complete", "keep_alive"),
        *("waiting_for_100_continue", "message_event"),
    ):
        assert f"self.{name}" in told, name


def test_the_server_has_the_steps_that_are_replaced() -> None:
    for step in ("startup", "shutdown", "on_tick"):
        assert inspect.iscoroutinefunction(getattr(uvicorn.Server, step)), step
    assert list(inspect.signature(uvicorn.Server.on_tick).parameters) == ["self", "counter"]
    assert list(inspect.signature(uvicorn.Server.startup).parameters) == ["self", "sockets"]
    assert hasattr(uvicorn.Server, "capture_signals")
    state = ServerState()
    for name in ("connections", "tasks", "total_requests", "default_headers"):
        assert hasattr(state, name), name
    assert isinstance(HIGH_WATER_LIMIT, int)
