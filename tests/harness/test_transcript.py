"""Files of recordings: rows, odd rows, and memory."""

import io
import json
import tracemalloc
from typing import Any

import pytest

from plugin.harness import transcript
from plugin.harness.judge import Judge
from plugin.harness.transcript import Reply, Unreadable
from plugin.messages import Call
from tests.harness.recordings import SAMPLES, read, read_values, replies, stream

BOM = b"\xef\xbb\xbf"


def chat(name: str = "f") -> dict[str, Any]:
    call = {"id": "1", "function": {"name": name, "arguments": "{}"}}
    return {"choices": [{"message": {"role": "assistant", "tool_calls": [call]}}]}


def line(name: str = "f") -> bytes:
    return json.dumps(chat(name)).encode()


def rows(data: bytes) -> list[tuple[int, str]]:
    """Row numbers, each with the name that was called, or with what went wrong."""
    found = []
    for one in read(data):
        if isinstance(one, Reply):
            found += [(one.row, call.name) for call in one.calls]
        else:
            found.append((one.row, one.error))
    return found


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_rows_are_lines(end: bytes) -> None:
    data = end.join([b"", line("a"), b"", b"  ", line("b"), line("c"), b""])
    assert rows(data) == [(2, "a"), (5, "b"), (6, "c")]
    assert rows(BOM + data.lstrip()) == [(1, "a"), (4, "b"), (5, "c")]
    assert rows(data.rstrip()) == [(2, "a"), (5, "b"), (6, "c")]


def test_one_line() -> None:
    assert rows(line("a")) == [(1, "a")]
    assert rows(b"\n\n" + line("a") + b"\n\n") == [(3, "a")]
    assert rows(BOM + line("a")) == [(1, "a")]


def test_nothing() -> None:
    for data in (b"", b"\n", b" \r\n\n", BOM):
        assert read(data) == []


def test_a_bad_line_costs_only_itself() -> None:
    for bad in (b"oops", b'{"a":', b"\xff\xfe", b"[" * 300 + b"]" * 300, b'{"a": NaN}'):
        for data in ([bad, line("b")], [line("a"), bad, line("b")], [line("a"), b"", bad]):
            found = rows(b"\n".join(data))
            number = data.index(bad) + 1
            assert [row for row, _ in found] == [n for n, one in enumerate(data, 1) if one]
            assert dict(found)[number].startswith(f"line {number} is not JSON: ")


@pytest.mark.parametrize("indent", [None, 2])
def test_a_list_of_recordings(indent: int | None) -> None:
    for names in ("abc", "a"):
        data = json.dumps([chat(name) for name in names], indent=indent).encode()
        assert rows(data) == list(enumerate(names, start=1))
        assert rows(b"\n\n" + data) == list(enumerate(names, start=1))


def test_a_list_in_a_line_of_many_is_a_row() -> None:
    talk = [{"role": "user", "content": "?"}, chat("a")["choices"][0]["message"]]
    assert rows(json.dumps(talk).encode() + b"\n" + line("b")) == [(1, "a"), (2, "b")]


@pytest.mark.parametrize("indent", [None, 2])
def test_one_conversation_is_one_row(indent: int | None) -> None:
    said = chat("a")["choices"][0]["message"]
    talk = [{"role": "user", "content": "?"}, said, {"role": "tool"}, said]
    data = json.dumps(talk, indent=indent).encode()
    assert [(one.row, getattr(one, "index", None)) for one in read(data)] == [(1, 0), (1, 1)]


def test_indented_json() -> None:
    assert rows(json.dumps(chat("a"), indent=4).encode()) == [(1, "a")]
    assert rows(BOM + b"\n" + json.dumps(chat("a"), indent=4).encode()) == [(1, "a")]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_raw_event_stream(end: str) -> None:
    event = {"choices": [{"delta": chat("a")["choices"][0]["message"]}]}
    text = stream(event, done=True, end=end)
    for data in (text, f": hello{end}{end}{text}", f"{end}{text}", f"event: x{end}{text}"):
        assert rows(data.encode()) == [(1, "a")]
        assert rows(BOM + data.encode()) == [(1, "a")]


def test_a_stream_with_broken_utf_8_is_still_a_stream() -> None:
    event = {"choices": [{"delta": chat("a")["choices"][0]["message"]}]}
    assert rows(b": \xff\n\n" + stream(event).encode()) == [(1, "a")]


def test_what_is_wrapped() -> None:
    event = stream({"choices": [{"delta": chat("a")["choices"][0]["message"]}]})
    for response in (chat("a"), event, json.dumps(chat("a"))):
        for row in ({"response": response}, {"request": {"model": "m"}, "response": response}):
            assert [call.name for reply in replies(row) for call in reply.calls] == ["a"]


def test_an_answer_that_quotes_an_earlier_response_is_itself() -> None:
    body = {"object": "response", "output": [], "response": {"choices": []}}
    (reply,) = replies(body)
    assert reply.format == "openai_responses"


TOOL = {"type": "function", "function": {"name": "f"}}
GROUP = {"function_declarations": [{"name": "f"}]}


@pytest.mark.parametrize(
    ("row", "tools"),
    [
        ({"request": {"tools": [TOOL]}, "response": chat()}, (TOOL,)),
        ({"tools": [TOOL], "response": chat()}, (TOOL,)),
        ({"tools": [TOOL], "messages": [{"role": "user"}, {"role": "assistant"}]}, (TOOL,)),
        ({"request": {"functions": [TOOL], "tools": None}, "response": chat()}, (TOOL,)),
        ({"function": [TOOL], "calls": []}, (TOOL,)),
        ({"request": {"tools": GROUP}, "response": chat()}, (GROUP,)),
        ({"request": {}, "response": chat()}, None),
        ({"request": {"tools": []}, "response": chat()}, ()),
        ({"request": None, "response": chat()}, None),
        (chat(), None),
        ({"object": "response", "output": [], "tools": [TOOL]}, (TOOL,)),
    ],
)
def test_the_tools_that_were_declared(row: dict[str, Any], tools: Any) -> None:
    (reply,) = replies(row)
    assert reply.tools == tools


def test_tools_found_on_the_way_are_declared_too() -> None:
    found = {"type": "function", "name": "g"}
    output = [
        {"type": "tool_search_output", "tools": [found]},
        {"type": "mcp_list_tools", "tools": [{"name": "theirs", "input_schema": {}}]},
    ]
    row = {"request": {"tools": [TOOL]}, "response": {"object": "response", "output": output}}
    (reply,) = replies(row)
    assert reply.tools == (TOOL, found, {"name": "theirs", "input_schema": {}})


@pytest.mark.parametrize(
    "value", [7, "text", None, True, [], [1], {}, {"a": 1}, {"response": "text"}]
)
def test_what_no_format_fits(value: Any) -> None:
    found = read_values(value, chat("b"))
    assert isinstance(found[0], Unreadable)
    assert found[0].error.startswith("no known format (openai_legacy, ")
    assert isinstance(found[1], Reply)


# The functions that each reply of our samples calls, by format, in the order of the rows.
CALLED = {
    "openai_chat": [
        "tide_level",
        "ferries_from",
        "ferries_from",
        "keeper_on_duty count_bells",
        "wind_at wind_at wind_at wind_at wind_at wind_at wind_at",
        "sow_bed count_bells",
        "shelf_of",
        "tide_level",
        "weigh_parcel",
        "hand_in",
        "hand_in",
        "hand_in",
        "tide_level",
        "clock_in",
        "berth_boat",
        "berth_boat",
        "retune",
        "barometer clock_in",
        "send_card",
        "count_bells count_bells count_bells",
        "light_lamp",
        "light_lamp",
        "keeper_on_duty count_bells",
        "light_lamp",
        "find_kite",
        "wind_at wind_at wind_at",
        "hand_in",
        "barometer",
        "clock_in clock_in",
        "print_price count_bells",
        "barometer",
    ],
    "openai_legacy": [
        "riddle",
        "barometer",
        "",
        "",
        "sow_bed",
        "riddle",
    ],
    "openai_responses": [
        "tide_level",
        "print_price",
        "retune",
        "wind_at",
        "clock_in barometer",
        "find_kite",
        "stamp_rate",
        "weigh_parcel",
        "keeper_on_duty",
        "ferries_from",
        "light_lamp",
        "wind_at clock_in",
        "find_kite",
        "count_bells",
        "",
        "",
    ],
    "anthropic": [
        "tide_level",
        "print_price",
        "keeper_on_duty",
        "barometer clock_in",
        "light_lamp",
        "stamp_rate",
        "retune sow_bed",
        "barometer clock_in",
        "stamp_rate",
        "count_bells",
        "keeper_on_duty",
    ],
    "gemini": [
        "hand_in",
        "wind_at",
        "clock_in clock_in count_bells",
        "sow_bed",
        "barometer",
        "hand_in",
        "pick_stencil",
        "pick_stencil",
        "all_stencils",
        "light_lamp light_lamp",
        "ferries_from keeper_on_duty",
    ],
}


def test_the_samples() -> None:
    found: dict[str, list[str]] = {}
    for one in read((SAMPLES / "wire.jsonl").read_bytes()):
        assert isinstance(one, Reply)
        found.setdefault(one.format, []).append(" ".join(call.name for call in one.calls))
    assert found == CALLED


class Generated(io.RawIOBase):
    """A long file that exists nowhere."""

    def __init__(self, lines: int) -> None:
        self._left = lines
        self._line = line("f" * 2_000) + b"\n"

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._left:
            return 0
        self._left -= 1
        buffer[: len(self._line)] = self._line
        return len(self._line)


def test_memory_stays_flat_however_long_the_file_is() -> None:
    lines = 4_000  # 8 MB
    stream_of_lines = io.BufferedReader(Generated(lines), buffer_size=4_096)
    tracemalloc.start()
    try:
        count = sum(1 for _ in transcript.read(stream_of_lines))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert count == lines
    assert peak < 500_000


def test_an_array_of_requests_is_a_list_of_rows() -> None:
    calls = [
        {"jsonrpc": "2.0", "id": n, "method": "tools/call", "params": {"name": f"f{n}"}}
        for n in (1, 2)
    ]
    assert rows(json.dumps(calls).encode()) == [(1, "f1"), (2, "f2")]


CHUNKS = [
    {
        "object": "chat.completion.chunk",
        "choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0, **piece}]}}],
    }
    for piece in (
        {"id": "call_1", "function": {"name": "f", "arguments": '{"a":'}},
        {"function": {"arguments": " 1}"}},
    )
]


@pytest.mark.parametrize(
    "value",
    [CHUNKS, {"response": CHUNKS}, {"response": [f"data: {json.dumps(c)}\n\n" for c in CHUNKS]}],
)
def test_a_stream_recorded_as_the_list_of_its_chunks(value: Any) -> None:
    for data in (json.dumps(value), f"{json.dumps(value)}\n{json.dumps(value)}\n"):
        found = [one for one in read(data.encode()) if isinstance(one, Reply)]
        assert {one.calls for one in found} == {(Call("call_1", "f", '{"a": 1}'),)}
        assert [one.row for one in found] == list(range(1, max(2, data.count("\n") + 1)))


def test_a_name_that_only_required_knows_is_charged_to_nobody() -> None:
    schema = {"type": "object", "properties": {"a": {}}, "required": ["a", "b"]}
    judge = Judge({"f": schema})
    for arguments in ({"a": 1}, {"a": 1, "b": 2}):
        assert judge.judge([Call(None, "f", arguments)])[0].faults == ()
    assert judge.tools["f"].document_faults


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (line() + b"\n" + line(), True),
        (BOM + b"\n\n" + line(), True),
        (line(), True),
        (line() + b"\n{ cut off", True),
        (b"{ cut off\n" + line(), True),
        (b"[" + line() + b"," + line() + b"]", False),
        (json.dumps([chat(), chat()], indent=1).encode(), False),
        (json.dumps(chat(), indent=1).encode(), False),
        (b'event: x\ndata: {"a": 1}\n\n', False),
        (b"", False),
    ],
)
def test_whether_rows_are_lines(data: bytes, expected: bool) -> None:
    assert transcript.rows_are_lines(data) is expected
