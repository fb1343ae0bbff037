import io
import json
import tracemalloc
from typing import Any

import pytest

from plugin.errors import InvalidRequest
from plugin.gpt.file_lines import LONGEST_LINE, check_lines

PAIR = b'{"prompt": "a", "completion": "b"}'
CHAT = {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}


def fault(content: bytes, purpose: str = "fine-tune") -> str:
    with pytest.raises(InvalidRequest) as refused:
        check_lines(io.BytesIO(content), purpose)
    assert refused.value.param == "file"
    assert refused.value.detail.startswith("The file was not kept: ")
    return refused.value.detail


def lines(*objects: Any) -> bytes:
    return b"\n".join(json.dumps(one).encode() for one in objects)


def messages(*given: Any) -> bytes:
    return lines({"messages": list(given)})


@pytest.mark.parametrize(
    "content",
    [
        PAIR,
        PAIR + b"\n",
        PAIR + b"\r\n" + PAIR,
        b"\xef\xbb\xbf" + PAIR,
        PAIR + b"\n\n  \n",
        '{"prompt": "你好", "completion": "再见 🙂"}'.encode(),
        lines(CHAT, CHAT),
        messages(
            {"role": "developer", "content": "be short"},
            {"role": "user", "content": [{"type": "text", "text": "hi"}]},
            {"role": "assistant", "content": None, "tool_calls": [{}], "weight": 0},
            {"role": "tool", "tool_call_id": "call_1", "content": "4"},
        ),
    ],
)
def test_what_can_be_learnt_from_is_taken(content: bytes) -> None:
    check_lines(io.BytesIO(content), "fine-tune")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "the file is empty"),
        (b"\n \n", "the file has no line with JSON"),
        (b"\xef\xbb\xbf", "the file has no line with JSON"),
        (PAIR + b"\n{", "line 2: not JSON: unexpected end of data at character 2"),
        (PAIR + b"\n\n" + b"[]", "line 3: a JSON object is asked for"),
        (PAIR + b"\n\xff", "line 2: not UTF-8 (byte 1)"),
        (PAIR.decode().encode("utf-16"), "the file is UTF-16"),
        (b'{"prompt": NaN, "completion": "b"}', "line 1: not JSON"),
        (b"[" * 100_000, "line 1: not JSON"),
        (lines({"prompt": "a"}), "line 1: completion is missing"),
        (lines({"text": "a"}), "line 1: prompt is missing; a line has messages, or"),
        (lines({"prompt": 1, "completion": "b"}), "line 1: prompt must be a text"),
        (lines(CHAT) + b"\n" + PAIR, "line 2: prompt and completion, where the lines before"),
        (lines({"messages": []}), "line 1: messages must be a list"),
        (messages("hi"), "line 1: messages[0] must be an object"),
        (messages({"role": "user", "content": "a"}), "no assistant message"),
        (messages({"role": ["user"], "content": "a"}), "line 1: messages[0].role must be one of"),
        (messages({"role": "user"}), "line 1: messages[0].content must be"),
        (messages({"role": "assistant", "content": None}), "messages[0].content must be"),
        (messages({"role": "user", "content": []}), "messages[0].content must be"),
        (messages({"role": "user", "content": ["hi"]}), "messages[0].content must be"),
        (
            messages({"role": "assistant", "content": None, "tool_calls": 5}),
            "messages[0].tool_calls must be a list",
        ),
        (messages({"role": "tool", "content": "4"}), "messages[0].tool_call_id must be"),
        (messages({"role": "user", "content": "", "weight": [2]}), "messages[0].weight must be"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(content: bytes, words: str) -> None:
    assert words in fault(content)


def test_five_faults_are_enough() -> None:
    detail = fault(b"{\n" * 9)
    assert "line 5" in detail
    assert "line 6" not in detail


def test_a_batch_is_requests_with_ids_of_their_own() -> None:
    url = "/v1/chat/completions"
    one = {"custom_id": "1", "method": "POST", "url": url, "body": {}}
    check_lines(io.BytesIO(lines(one, one | {"custom_id": "2"})), "batch")
    assert "line 2: custom_id '1' was used" in fault(lines(one, one), "batch")
    assert "line 1: custom_id must be" in fault(lines(one | {"custom_id": ""}), "batch")
    assert "line 1: method must be" in fault(lines(one | {"method": "GET"}), "batch")
    assert "line 1: url must be one of" in fault(lines(one | {"url": "/v1/files"}), "batch")
    assert "line 1: body must be" in fault(lines(one | {"body": None}), "batch")


def test_other_purposes_take_any_bytes() -> None:
    check_lines(io.BytesIO(b"\xff\x00"), "assistants")
    check_lines(io.BytesIO(b"not json"), "search")
    assert "empty" in fault(b"", "vision")


class _Endless(io.RawIOBase):
    """Bytes without a newline, and without an end."""

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        buffer[:] = b"x" * len(buffer)
        return len(buffer)

    def seek(self, *_: int) -> int:
        return 0


def test_a_line_without_an_end_takes_bounded_memory() -> None:
    tracemalloc.start()
    try:
        with pytest.raises(InvalidRequest, match=f"line 1: longer than {LONGEST_LINE} bytes"):
            check_lines(io.BufferedReader(_Endless()), "fine-tune")
        assert tracemalloc.get_traced_memory()[1] < 5 * LONGEST_LINE
    finally:
        tracemalloc.stop()
