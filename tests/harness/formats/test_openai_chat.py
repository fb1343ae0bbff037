"""Chat completions: whole, streamed, and streamed oddly."""

import json
from typing import Any

import pytest

from plugin.harness.formats.openai_chat import message_calls
from plugin.messages import Call
from tests.harness.recordings import in_pieces, read_values, replies, stream, the_reply

PARIS, ROME = '{"city": "Paris"}', '{"city": "Rome"}'


def whole(*calls: Any, **more: Any) -> dict[str, Any]:
    message = {"role": "assistant", "content": None, "tool_calls": list(calls), **more}
    return {"object": "chat.completion", "choices": [{"index": 0, "message": message}]}


def entry(name: str, arguments: Any, call_id: str | None = None) -> dict[str, Any]:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


def chunk(*pieces: Any, choice: int = 0, **delta: Any) -> dict[str, Any]:
    found = {"tool_calls": list(pieces), **delta} if pieces else delta
    return {"object": "chat.completion.chunk", "choices": [{"index": choice, "delta": found}]}


def streamed(*events: Any, **how: Any) -> tuple[Call, ...]:
    return the_reply({"response": stream(*events, **how)}, "openai_chat")


def test_arguments_stay_as_written() -> None:
    odd = '{"city" :  "Paris",}'
    assert the_reply(whole(entry("f", odd, "1"), entry("g", None, "2")), "openai_chat") == (
        Call("1", "f", odd),
        Call("2", "g", None),
    )
    assert the_reply(whole(entry("f", {"a": 1})), "openai_chat") == (Call(None, "f", {"a": 1}),)


def test_each_choice_is_a_reply() -> None:
    body = whole(entry("f", PARIS))
    body["choices"] += [{"message": {"content": "no"}}, whole(entry("g", ROME))["choices"][0]]
    found = replies(body)
    assert [(reply.index, [call.name for call in reply.calls]) for reply in found] == [
        (0, ["f"]),
        (1, []),
        (2, ["g"]),
    ]


@pytest.mark.parametrize(
    "message", [{"content": "hello"}, {"tool_calls": None}, {"tool_calls": []}, {"refusal": "no"}]
)
def test_a_reply_without_calls(message: dict[str, Any]) -> None:
    assert the_reply({"choices": [{"message": message}]}, "openai_chat") == ()


def test_a_completion_without_choices_is_an_empty_reply() -> None:
    assert the_reply({"object": "chat.completion", "choices": []}, "openai_chat") == ()


def test_a_custom_tool_is_given_text() -> None:
    custom = {"id": "1", "type": "custom", "custom": {"name": "sql", "input": "SELECT 1"}}
    assert the_reply(whole(custom), "openai_chat") == (Call("1", "sql", "SELECT 1"),)


@pytest.mark.parametrize("function", [{"name": "", "arguments": "{}"}, {"arguments": "{}"}])
def test_a_call_of_nothing_is_still_a_call(function: dict[str, Any]) -> None:
    body = whole({"id": "1", "type": "function", "function": function})
    assert the_reply(body, "openai_chat") == (Call("1", "", "{}"),)


def test_a_stream_is_put_together() -> None:
    pieces = in_pieces(PARIS)
    calls = streamed(
        chunk(role="assistant", content=None),
        chunk({"index": 0, "id": "1", "function": {"name": "f", "arguments": ""}}),
        *(chunk({"index": 0, "function": {"arguments": piece}}) for piece in pieces),
        chunk({"index": 1, "id": "2", "function": {"name": "g", "arguments": ROME}}),
        {"object": "chat.completion.chunk", "choices": [], "usage": {"total_tokens": 3}},
        done=True,
    )
    assert calls == (Call("1", "f", PARIS), Call("2", "g", ROME))


def test_interleaved_pieces_go_where_they_belong() -> None:
    calls = streamed(
        chunk(
            {"index": 0, "id": "1", "function": {"name": "f", "arguments": '{"a"'}},
            {"index": 1, "id": "2", "function": {"name": "g", "arguments": '{"b"'}},
        ),
        chunk({"index": 1, "function": {"arguments": ": 2}"}}),
        chunk({"index": 0, "function": {"arguments": ": 1}"}}),
    )
    assert calls == (Call("1", "f", '{"a": 1}'), Call("2", "g", '{"b": 2}'))


@pytest.mark.parametrize("index", [{}, {"index": None}, {"index": 0}])
def test_parallel_calls_that_share_an_index_or_have_none(index: dict[str, Any]) -> None:
    first, second = in_pieces(PARIS, 9), in_pieces(ROME, 9)
    calls = streamed(
        chunk({**index, "id": "1", "function": {"name": "f", "arguments": first[0]}}),
        chunk({**index, "function": {"arguments": first[1]}}),
        chunk({**index, "id": "2", "function": {"name": "f", "arguments": second[0]}}),
        chunk({**index, "function": {"arguments": second[1]}}),
    )
    assert calls == (Call("1", "f", PARIS), Call("2", "f", ROME))


def test_parallel_calls_without_index_and_id() -> None:
    calls = streamed(
        chunk({"function": {"name": "f", "arguments": PARIS}}),
        chunk({"function": {"name": "f", "arguments": ROME}}),
    )
    assert calls == (Call(None, "f", PARIS), Call(None, "f", ROME))


def test_an_id_and_a_name_repeated_with_each_piece() -> None:
    pieces = in_pieces(PARIS)
    calls = streamed(
        *(
            chunk({"index": 0, "id": "1", "function": {"name": "f", "arguments": piece}})
            for piece in pieces
        )
    )
    assert calls == (Call("1", "f", PARIS),)


def test_an_id_that_comes_late() -> None:
    calls = streamed(
        chunk({"index": 0, "function": {"name": "f"}}),
        chunk({"index": 0, "id": "late", "function": {"arguments": "{}"}}),
    )
    assert calls == (Call("late", "f", "{}"),)


def test_a_name_in_pieces() -> None:
    calls = streamed(
        chunk({"index": 0, "id": "1", "function": {"name": "get_"}}),
        chunk({"index": 0, "function": {"name": "weather", "arguments": "{}"}}),
    )
    assert calls == (Call("1", "get_weather", "{}"),)


def test_no_arguments_in_a_stream_are_no_arguments() -> None:
    assert streamed(chunk({"index": 0, "id": "1", "function": {"name": "f"}})) == (
        Call("1", "f", None),
    )


def test_a_placeholder_without_anything_is_no_call() -> None:
    assert streamed(chunk({"index": 0}), chunk(content="hello")) == ()


def test_choices_of_a_stream_are_told_apart() -> None:
    value = {
        "response": stream(
            chunk({"index": 0, "id": "b", "function": {"name": "g", "arguments": ROME}}, choice=1),
            chunk({"index": 0, "id": "a", "function": {"name": "f", "arguments": PARIS}}),
        )
    }
    assert [reply.calls for reply in replies(value)] == [
        (Call("a", "f", PARIS),),
        (Call("b", "g", ROME),),
    ]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends_comments_and_keep_alives(end: str) -> None:
    text = stream(chunk({"index": 0, "id": "1", "function": {"name": "f", "arguments": PARIS}}))
    text = f": keep-alive\n\nretry: 100\n\nid: 7\n{text}:\n\ndata:[DONE]\n\n".replace("\n", end)
    assert the_reply({"response": text}, "openai_chat") == (Call("1", "f", PARIS),)
    assert the_reply(text, "openai_chat") == (Call("1", "f", PARIS),)


def test_a_value_over_several_data_lines() -> None:
    event = json.dumps(
        chunk({"index": 0, "id": "1", "function": {"name": "f", "arguments": "{}"}}), indent=1
    )
    text = "".join(f"data: {line}\n" for line in event.splitlines()) + "\n"
    assert the_reply({"response": text}, "openai_chat") == (Call("1", "f", "{}"),)


def test_a_stream_that_was_cut_off_gives_what_had_come() -> None:
    text = stream(
        chunk({"index": 0, "id": "1", "function": {"name": "f", "arguments": '{"city": "Pa'}}),
        chunk({"index": 0, "function": {"arguments": 'ris"}'}}),
    )
    cut = text[: text.rindex("ris") + 2]
    assert the_reply({"response": cut}, "openai_chat") == (Call("1", "f", '{"city": "Pa'),)


def test_text_of_other_scripts_in_pieces() -> None:
    arguments = '{"city": "北京 \\ud83d\\ude00", "note": "a\u2028b"}'
    calls = streamed(
        chunk({"index": 0, "id": "1", "function": {"name": "f", "arguments": ""}}),
        *(
            chunk({"index": 0, "function": {"arguments": piece}})
            for piece in in_pieces(arguments, 1)
        ),
    )
    assert calls == (Call("1", "f", arguments),)


def test_half_a_character_in_a_piece_does_not_lose_the_piece() -> None:
    text = (
        'data: {"choices":[{"delta":{"tool_calls":[{"index":0,"id":"1","function":'
        '{"name":"f","arguments":"{\\"a\\":\\"\\ud83d"}}]}}]}\n\n'
        'data: {"choices":[{"delta":{"tool_calls":[{"index":0,"function":'
        '{"arguments":"\\ude00\\"}"}}]}}]}\n\n'
    )
    (call,) = the_reply({"response": text}, "openai_chat")
    assert call.arguments == '{"a":"\ufffd\ufffd"}'


@pytest.mark.parametrize(
    "error",
    [
        {"error": {"message": "Rate limit reached", "type": "tokens", "code": "x"}},
        {"error": "Rate limit reached"},
        {"response": {"error": {"message": "Rate limit reached"}}},
        {"response": 'data: {"error": {"message": "Rate limit reached"}}\n\n'},
        {"request": {"tools": []}, "response": {"error": {"message": "Rate limit reached"}}},
    ],
)
def test_an_error_is_no_reply(error: dict[str, Any]) -> None:
    (row,) = read_values(error)
    assert "the provider answered with an error" in getattr(row, "error", "")
    assert "Rate limit reached" in getattr(row, "error", "")


def test_langchain_writes_name_and_args_into_the_entry() -> None:
    entry = {"name": "f", "args": {"a": 1}, "id": "call_1", "type": "tool_call"}
    assert message_calls({"tool_calls": [entry]}) == (Call("call_1", "f", {"a": 1}),)


def test_the_place_that_is_named_counts_when_the_other_holds_blanks() -> None:
    blank = {"name": "", "arguments": "", "input": ""}
    named = {"name": "f", "input": "x"}
    assert message_calls({"tool_calls": [{"function": blank, "custom": named}]}) == (
        Call(None, "f", "x"),
    )
