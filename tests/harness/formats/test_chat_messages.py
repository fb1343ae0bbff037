"""Lists of messages, in each provider's shape, alone or under a key."""

from typing import Any

import pytest

from plugin.harness.transcript import Reply
from plugin.messages import Call
from tests.harness.recordings import read, read_values, replies, the_reply

USER = {"role": "user", "content": "Weather?"}
CHAT = {
    "role": "assistant",
    "tool_calls": [
        {"id": "1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}},
        {"id": "2", "type": "function", "function": {"name": "g", "arguments": "{}"}},
    ],
}
ANSWERS = [{"role": "tool", "tool_call_id": str(number), "content": "…"} for number in (1, 2)]
LEGACY = {"role": "assistant", "function_call": {"name": "f", "arguments": '{"a": 1}'}}
BLOCKS = {
    "role": "assistant",
    "content": [
        {"type": "text", "text": "Hm"},
        {"type": "tool_use", "id": "1", "name": "f", "input": {"a": 1}},
        {"type": "server_tool_use", "id": "2", "name": "web_search", "input": {}},
    ],
}
PARTS = {"role": "model", "parts": [{"functionCall": {"name": "f", "args": {"a": 1}}}]}
SAID = {"role": "assistant", "content": "Sunny."}


@pytest.mark.parametrize(
    ("message", "calls"),
    [
        (CHAT, (Call("1", "f", '{"a": 1}'), Call("2", "g", "{}"))),
        (LEGACY, (Call(None, "f", '{"a": 1}'),)),
        (BLOCKS, (Call("1", "f", {"a": 1}),)),
        (PARTS, (Call(None, "f", {"a": 1}),)),
        (SAID, ()),
    ],
)
def test_each_shape(message: dict[str, Any], calls: tuple[Call, ...]) -> None:
    assert the_reply([USER, message], "messages") == calls
    assert the_reply({"messages": [USER, message], "model": "m"}, "messages") == calls
    assert the_reply(message, "messages") == calls


def test_each_assistant_message_is_a_reply() -> None:
    trajectory = {"task_id": 3, "traj": [USER, CHAT, *ANSWERS, SAID, USER, LEGACY], "reward": 0.0}
    found = replies(trajectory)
    assert [(reply.row, reply.index, len(reply.calls)) for reply in found] == [
        (1, 0, 2),
        (1, 1, 0),
        (1, 2, 1),
    ]


def test_a_list_under_any_key_as_long_as_it_is_one_of_messages() -> None:
    row = {"tags": ["a"], "tools": [{"type": "function"}], "empty": [], "steps": [USER, SAID]}
    assert the_reply(row, "messages") == ()


def response_item(kind: str, number: int = 1) -> dict[str, Any]:
    if kind == "function_call":
        return {"type": kind, "call_id": str(number), "name": f"f{number}", "arguments": "{}"}
    return {"type": kind, "call_id": str(number), "output": "…"}


def test_items_of_the_responses_api() -> None:
    history = [
        USER,
        {"type": "reasoning", "summary": []},
        response_item("function_call", 1),
        response_item("function_call", 2),
        response_item("function_call_output", 1),
        response_item("function_call_output", 2),
        response_item("function_call", 3),
        response_item("function_call_output", 3),
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "x"}]},
    ]
    assert [[call.name for call in reply.calls] for reply in replies(history)] == [
        ["f1", "f2"],
        ["f3"],
        [],
    ]


def test_what_the_provider_ran_does_not_hide_the_list() -> None:
    history = [
        USER,
        {"type": "web_search_call", "id": "ws"},
        response_item("function_call", 1),
        {"type": "mcp_call", "id": "m", "name": "x", "arguments": "{}"},
        response_item("function_call", 2),
        {"type": "item_reference", "id": "r"},
    ]
    (reply,) = replies({"input": history})
    assert [call.name for call in reply.calls] == ["f1", "f2"]


def test_items_without_any_message() -> None:
    assert the_reply([response_item("function_call")], "messages") == (Call("1", "f1", "{}"),)


def test_messages_of_a_request_are_not_its_reply() -> None:
    row = {"request": {"messages": [USER, CHAT]}, "response": {"choices": [{"message": SAID}]}}
    assert the_reply(row, "openai_chat") == ()


def test_users_alone_say_nothing_wrong() -> None:
    assert read_values([USER, USER]) == []


def test_a_trajectory_over_many_lines_is_one_row() -> None:
    import json

    found = read(json.dumps([USER, CHAT, *ANSWERS, SAID], indent=2).encode())
    assert [one.row for one in found if isinstance(one, Reply)] == [1, 1]
