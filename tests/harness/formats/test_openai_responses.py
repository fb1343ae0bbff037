"""The Responses API: whole, streamed with its last event and without."""

from typing import Any

import pytest

from plugin.messages import Call
from tests.harness.recordings import in_pieces, stream, the_reply

PARIS, ROME = '{"city": "Paris"}', '{"city": "Rome"}'


def item(name: str, arguments: Any, call_id: str, **more: Any) -> dict[str, Any]:
    return {
        "type": "function_call",
        "id": f"fc_{call_id}",
        "call_id": call_id,
        "name": name,
        "arguments": arguments,
        **more,
    }


RUN_BY_THE_PROVIDER = [
    {"type": "web_search_call", "id": "ws", "status": "completed", "action": {"query": "x"}},
    {"type": "mcp_call", "id": "m", "name": "search", "arguments": "{}", "server_label": "s"},
    {"type": "mcp_list_tools", "server_label": "s", "tools": []},
    {"type": "code_interpreter_call", "code": "1", "outputs": []},
    {"type": "file_search_call", "queries": []},
    {"type": "image_generation_call", "result": ""},
    {"type": "tool_search_call", "arguments": {}},
]


def test_whole() -> None:
    body = {
        "object": "response",
        "output": [
            {"type": "reasoning", "summary": []},
            {"type": "message", "role": "assistant", "content": []},
            item("f", PARIS, "1"),
            {"type": "custom_tool_call", "call_id": "2", "name": "sql", "input": "SELECT 1"},
            item("g", "", "3"),
        ],
    }
    assert the_reply(body, "openai_responses") == (
        Call("1", "f", PARIS),
        Call("2", "sql", "SELECT 1"),
        Call("3", "g", ""),
    )


@pytest.mark.parametrize("body", [{"object": "response", "output": []}, {"output": []}])
def test_without_calls(body: dict[str, Any]) -> None:
    assert the_reply(body, "openai_responses") == ()


def test_what_the_provider_ran_is_no_call_of_ours() -> None:
    output = [*RUN_BY_THE_PROVIDER, item("f", PARIS, "1")]
    assert the_reply({"object": "response", "output": output}, "openai_responses") == (
        Call("1", "f", PARIS),
    )


def events(*, indexed: bool = True) -> list[dict[str, Any]]:
    """The events of two parallel calls, interleaved, after a reasoning item."""

    def event(kind: str, index: int, **more: Any) -> dict[str, Any]:
        place = {"output_index": index} if indexed else {}
        return {"type": f"response.{kind}", **place, **more}

    first, second = in_pieces(PARIS), in_pieces(ROME)
    deltas = [
        event("function_call_arguments.delta", number, item_id=f"fc_{number}", delta=piece)
        for pair in zip(first, second, strict=False)
        for number, piece in enumerate(pair, start=1)
    ]
    rest = [
        event("function_call_arguments.delta", 1, item_id="fc_1", delta=piece)
        for piece in first[len(second) :]
    ]
    return [
        {"type": "response.created", "response": {"object": "response", "output": []}},
        event("output_item.added", 0, item={"type": "reasoning", "id": "rs"}),
        event("output_item.added", 1, item=item("f", "", "1")),
        event("output_item.added", 2, item=item("g", "", "2")),
        *deltas,
        *rest,
    ]


FINISHED = {
    "type": "response.completed",
    "response": {"object": "response", "output": [item("f", PARIS, "1"), item("g", ROME, "2")]},
}
BOTH = (Call("1", "f", PARIS), Call("2", "g", ROME))


@pytest.mark.parametrize("indexed", [True, False])
@pytest.mark.parametrize(
    "last", [[FINISHED], [], [{"type": "response.incomplete", "response": {}}]]
)
def test_streamed(last: list[Any], indexed: bool) -> None:
    text = stream(*events(indexed=indexed), *last, named=True)
    assert the_reply({"response": text}, "openai_responses") == BOTH


def test_a_last_event_without_output_leaves_the_pieces() -> None:
    empty = {"type": "response.completed", "response": {"object": "response", "output": []}}
    text = stream(*events(), empty)
    assert the_reply({"response": text}, "openai_responses") == BOTH


def test_finished_items_replace_their_pieces() -> None:
    done = {"type": "response.output_item.done", "output_index": 1, "item": item("f", "{}", "1")}
    calls = the_reply({"response": stream(*events(), done)}, "openai_responses")
    assert calls == (Call("1", "f", "{}"), Call("2", "g", ROME))


def test_finished_arguments_replace_their_pieces() -> None:
    done = {"type": "response.function_call_arguments.done", "output_index": 1, "arguments": "[]"}
    calls = the_reply({"response": stream(*events(), done)}, "openai_responses")
    assert calls[0] == Call("1", "f", "[]")


def test_a_custom_tool_in_pieces() -> None:
    custom = {"type": "custom_tool_call", "call_id": "1", "name": "sql", "input": ""}
    text = stream(
        {"type": "response.output_item.added", "output_index": 0, "item": custom},
        *(
            {"type": "response.custom_tool_call_input.delta", "output_index": 0, "delta": piece}
            for piece in in_pieces("SELECT 1")
        ),
    )
    assert the_reply({"response": text}, "openai_responses") == (Call("1", "sql", "SELECT 1"),)


def test_a_stream_cut_off_in_the_middle_of_a_call() -> None:
    calls = the_reply({"response": stream(*events()[:6])}, "openai_responses")
    assert [(call.name, call.arguments) for call in calls] == [("f", PARIS[:5]), ("g", ROME[:5])]
