"""The one `function_call` of a message, whole and streamed."""

from typing import Any

import pytest

from plugin.messages import Call
from tests.harness.recordings import in_pieces, stream, the_reply

PARIS = '{"city": "Paris"}'


def chunk(**delta: Any) -> dict[str, Any]:
    return {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta}]}


def test_whole() -> None:
    message = {"role": "assistant", "function_call": {"name": "f", "arguments": PARIS}}
    body = {"choices": [{"message": message, "finish_reason": "function_call"}]}
    assert the_reply(body, "openai_legacy") == (Call(None, "f", PARIS),)


def test_streamed() -> None:
    events = [
        chunk(role="assistant", content=None, function_call={"name": "f", "arguments": ""}),
        *(chunk(function_call={"arguments": piece}) for piece in in_pieces(PARIS)),
        chunk(),
    ]
    text = stream(*events, done=True)
    assert the_reply({"response": text}, "openai_legacy") == (Call(None, "f", PARIS),)


@pytest.mark.parametrize("tool_calls", [None, []])
def test_an_empty_list_of_the_newer_kind_changes_nothing(tool_calls: Any) -> None:
    message = {"function_call": {"name": "f", "arguments": None}, "tool_calls": tool_calls}
    assert the_reply({"choices": [{"message": message}]}, "openai_legacy") == (
        Call(None, "f", None),
    )


def test_a_function_call_that_names_nothing_is_none() -> None:
    message = {"content": "hello", "function_call": {"name": "", "arguments": ""}}
    assert the_reply({"choices": [{"message": message}]}, "openai_legacy") == ()


def test_the_newer_kind_counts_where_both_are_there() -> None:
    function = {"name": "f", "arguments": PARIS}
    message = {"function_call": function, "tool_calls": [{"id": "1", "function": function}]}
    assert the_reply({"choices": [{"message": message}]}, "openai_chat") == (Call("1", "f", PARIS),)
