"""Calls in the shape of tools and of the old functions, whole and in chunks."""

import json
from typing import Any

import pytest

from plugin.engines.llama.chat_ask import CallPiece, Delta
from plugin.engines.llama.chat_reply import DONE, ChatReply, WholeChoice
from plugin.messages import Usage
from tests.openai_schema import assert_reply, assert_stream

DELTAS = [
    Delta(usage=Usage(30)),
    Delta(calls=[CallPiece(0, id="call_a", name="weather")]),
    Delta(calls=[CallPiece(0, arguments='{"city":')]),
    Delta(calls=[CallPiece(0, arguments='"奥斯陆"}')]),
    Delta(calls=[CallPiece(1, id="call_b", name="time", arguments="{}")]),
    Delta(finish="tool_calls", usage=Usage(30, 9)),
]


def reply(**more: Any) -> ChatReply:
    return ChatReply("chatcmpl-1", 1795421816, "gpt-4", "fp_1", **more)


def whole(form: ChatReply, deltas: list[Delta]) -> Any:
    choice = WholeChoice()
    for delta in deltas:
        choice.add(delta)
    body = form.whole([choice], Usage(30, 9))
    return assert_reply("/v1/chat/completions", "POST", 200, body)["choices"][0]


def streamed(form: ChatReply, deltas: list[Delta]) -> list[Any]:
    told = [form.first(0), *(form.chunks(0, delta) for delta in deltas), DONE]
    return [chunk["choices"][0] for chunk in assert_stream("/v1/chat/completions", told)]


def test_tool_calls_whole() -> None:
    choice = whole(reply(), DELTAS)
    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"]["content"] is None
    assert choice["message"]["tool_calls"] == [
        {
            "id": "call_a",
            "type": "function",
            "function": {"name": "weather", "arguments": '{"city":"奥斯陆"}'},
        },
        {"id": "call_b", "type": "function", "function": {"name": "time", "arguments": "{}"}},
    ]


def test_tool_calls_in_chunks() -> None:
    choices = streamed(reply(), DELTAS)
    assert [choice["delta"].get("tool_calls") for choice in choices] == [
        None,
        [
            {
                "index": 0,
                "id": "call_a",
                "type": "function",
                "function": {"name": "weather", "arguments": ""},
            }
        ],
        [{"index": 0, "function": {"arguments": '{"city":'}}],
        [{"index": 0, "function": {"arguments": '"奥斯陆"}'}}],
        [
            {
                "index": 1,
                "id": "call_b",
                "type": "function",
                "function": {"name": "time", "arguments": "{}"},
            }
        ],
        None,
    ]
    assert choices[-1]["finish_reason"] == "tool_calls"


def test_an_old_function_call() -> None:
    choice = whole(reply(functions=True), [*DELTAS[:4], DELTAS[5]])
    assert choice["finish_reason"] == "function_call"
    assert choice["message"]["function_call"] == {
        "name": "weather",
        "arguments": '{"city":"奥斯陆"}',
    }
    assert "tool_calls" not in choice["message"]


def test_an_old_function_call_in_chunks() -> None:
    choices = streamed(reply(functions=True), [*DELTAS[:4], DELTAS[5]])
    assert [choice["delta"].get("function_call") for choice in choices] == [
        None,
        {"name": "weather", "arguments": ""},
        {"arguments": '{"city":'},
        {"arguments": '"奥斯陆"}'},
        None,
    ]
    assert choices[-1]["finish_reason"] == "function_call"


def test_text_and_end_in_one_delta_are_two_chunks() -> None:
    choices = streamed(reply(), [Delta(content="Hi", finish="stop")])
    assert [choice["delta"] for choice in choices[1:]] == [{"content": "Hi"}, {}]


@pytest.mark.parametrize("delta", [Delta(), Delta(content=""), Delta(usage=Usage(1, 1))])
def test_a_delta_that_says_nothing_is_no_chunk(delta: Delta) -> None:
    assert reply().chunks(0, delta) == b""


def test_usage_is_told_where_it_is_asked_for() -> None:
    assert reply().usage_chunk(Usage(1, 2)) == b""
    told = json.loads(reply(usage_asked=True).usage_chunk(Usage(1, 2)).removeprefix(b"data: "))
    assert told["choices"] == []
    assert told["usage"] == {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
