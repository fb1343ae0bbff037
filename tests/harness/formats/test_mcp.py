"""MCP: requests of 2025 and of 2026-07-28, batches, and sessions."""

from typing import Any

import pytest

from plugin.messages import Call
from tests.harness.recordings import replies, the_reply

ARGUMENTS = {"city": "Paris"}


def request(number: Any, name: str, arguments: Any = None, **more: Any) -> dict[str, Any]:
    given = {} if arguments is None else {"arguments": arguments}
    params = {"name": name, **given, **more}
    return {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params}


OF_2026 = request(
    "a-1",
    "f",
    ARGUMENTS,
    _meta={
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "client", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
    },
)
RESULT = {"jsonrpc": "2.0", "id": 1, "result": {"content": [], "isError": False}}
INITIALIZE = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {}}


@pytest.mark.parametrize(
    ("value", "call"),
    [
        (request(1, "f", ARGUMENTS), Call("1", "f", ARGUMENTS)),
        (request(0, "f"), Call("0", "f", None)),
        (OF_2026, Call("a-1", "f", ARGUMENTS)),
    ],
)
def test_a_call(value: dict[str, Any], call: Call) -> None:
    assert the_reply(value, "mcp") == (call,)
    assert the_reply({"request": value, "response": RESULT}, "mcp") == (call,)
    assert the_reply({"request": value, "response": None}, "mcp") == (call,)


def test_a_batch_is_one_reply() -> None:
    batch = [request(1, "f", ARGUMENTS), {"jsonrpc": "2.0", "method": "ping"}, request(2, "g")]
    expected = (Call("1", "f", ARGUMENTS), Call("2", "g", None))
    assert the_reply({"request": batch}, "mcp") == expected
    assert the_reply({"request": batch, "response": [RESULT]}, "mcp") == expected


def test_a_session_as_it_went_over_the_wire() -> None:
    answer = {"jsonrpc": "2.0", "id": 0, "result": {"protocolVersion": "2025-11-25"}}
    refused = {"jsonrpc": "2.0", "id": 2, "error": {"code": -32602, "message": "Unknown tool"}}
    session = [INITIALIZE, answer, request(1, "f", ARGUMENTS), RESULT, request(2, "g"), refused]
    found = replies(*session)
    assert [(reply.row, [call.name for call in reply.calls]) for reply in found] == [
        (1, []),
        (2, []),
        (3, ["f"]),
        (4, []),
        (5, ["g"]),
        (6, []),
    ]


@pytest.mark.parametrize("params", [None, [], "f", {"arguments": {}}, {"name": 7}])
def test_a_call_of_nothing_is_still_a_call(params: Any) -> None:
    value = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    (call,) = the_reply(value, "mcp")
    assert call.name == ""
