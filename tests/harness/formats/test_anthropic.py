"""Anthropic messages, whole and streamed."""

from typing import Any

import pytest

from plugin.messages import Call
from tests.harness.recordings import in_pieces, stream, the_reply

START = {"type": "message_start", "message": {"type": "message", "content": []}}
PARIS = '{"city": "Paris"}'


def use(name: str, value: Any, call_id: str) -> dict[str, Any]:
    return {"type": "tool_use", "id": call_id, "name": name, "input": value}


def opened(index: Any, block: dict[str, Any]) -> dict[str, Any]:
    place = {} if index is None else {"index": index}
    return {"type": "content_block_start", **place, "content_block": block}


def piece(index: Any, text: str) -> dict[str, Any]:
    place = {} if index is None else {"index": index}
    delta = {"type": "input_json_delta", "partial_json": text}
    return {"type": "content_block_delta", **place, "delta": delta}


def streamed(*events: Any) -> tuple[Call, ...]:
    return the_reply({"response": stream(START, *events, named=True)}, "anthropic")


def test_whole() -> None:
    content = [
        {"type": "thinking", "thinking": "…"},
        {"type": "text", "text": "Let me look."},
        use("f", {"city": "Paris", "n": 1.0}, "1"),
        use("g", {}, "2"),
    ]
    body = {"type": "message", "role": "assistant", "content": content, "stop_reason": "tool_use"}
    assert the_reply(body, "anthropic") == (
        Call("1", "f", {"city": "Paris", "n": 1.0}),
        Call("2", "g", {}),
    )


@pytest.mark.parametrize(
    "block",
    [
        {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {"query": "x"}},
        {"type": "mcp_tool_use", "id": "m", "name": "f", "server_name": "s", "input": {}},
        {"type": "web_search_tool_result", "tool_use_id": "s", "content": []},
    ],
)
def test_what_the_provider_ran_is_no_call_of_ours(block: dict[str, Any]) -> None:
    body = {"type": "message", "content": [block, use("f", {}, "1")]}
    assert the_reply(body, "anthropic") == (Call("1", "f", {}),)
    assert streamed(opened(0, block), piece(0, '{"query": "x"}')) == ()


@pytest.mark.parametrize("indexed", [True, False])
def test_streamed(indexed: bool) -> None:
    zero, one, two = (0, 1, 2) if indexed else (None, None, None)
    calls = streamed(
        {"type": "ping"},
        opened(zero, {"type": "text", "text": ""}),
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hm"}},
        opened(one, use("f", {}, "1")),
        piece(one, ""),
        *(piece(one, part) for part in in_pieces(PARIS)),
        opened(two, use("g", {}, "2")),
        piece(two, ""),
        {"type": "message_delta", "delta": {"stop_reason": "tool_use"}},
        {"type": "message_stop"},
    )
    assert calls == (Call("1", "f", PARIS), Call("2", "g", {}))


def test_cut_off() -> None:
    calls = streamed(opened(0, use("f", {}, "1")), piece(0, PARIS[:7]))
    assert calls == (Call("1", "f", PARIS[:7]),)


def test_a_stream_that_ends_with_an_error_gives_what_had_come() -> None:
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    assert streamed(opened(0, use("f", {}, "1")), piece(0, PARIS), error) == (
        Call("1", "f", PARIS),
    )
