"""Whatever a recorder puts around a reply, the reply and the tools are found."""

import json
from typing import Any

import pytest

from plugin.messages import Call
from tests.harness.recordings import replies, stream

TOOLS = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]
CALL = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
MESSAGE = {"role": "assistant", "content": None, "tool_calls": [CALL]}
BODY = {"object": "chat.completion", "choices": [{"index": 0, "message": MESSAGE}]}
ASKED = {"model": "m", "messages": [{"role": "user", "content": "?"}], "tools": TOOLS}
CHUNKS = [
    {
        "object": "chat.completion.chunk",
        "choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0, **CALL}]}}],
    }
]
USER = {"role": "user", "content": "?"}


@pytest.mark.parametrize(
    "row",
    [
        {"request": ASKED, "response": BODY},
        {"request": json.dumps(ASKED), "response": json.dumps(BODY)},
        {"request": {"body": ASKED}, "response": {"body": BODY}},
        {"request": {"body": json.dumps(ASKED)}, "response": {"body": json.dumps(BODY)}},
        {"request": {"body": ASKED}, "response": {"body": {"string": json.dumps(BODY)}}},
        {
            "request": {"postData": {"text": json.dumps(ASKED)}},
            "response": {"content": {"text": json.dumps(BODY)}},
        },
        {"request": ASKED, "response": stream(*CHUNKS)},
        {"request": ASKED, "response": {"body": stream(*CHUNKS, end="\r\n")}},
        {"request": ASKED, "response": CHUNKS},
        {"request": ASKED, "chunks": CHUNKS},
        {"request": ASKED, "result": BODY},
        {"req": ASKED, "res": BODY},
        {"request_body": ASKED, "response_body": BODY},
        {"custom_id": "1", "response": {"status_code": 200, "body": BODY}, "request": ASKED},
        {"model": "m", "message": MESSAGE, "done": True, "tools": TOOLS},
        {"prompt": [USER], "completion": [MESSAGE], "tools": TOOLS},
        {"history": [USER], "messages": [USER, MESSAGE], "tools": TOOLS},
    ],
)
def test_the_call_and_its_tools_are_found(row: dict[str, Any]) -> None:
    (found,) = replies([row])
    assert found.calls == (Call("call_1", "f", '{"a": 1}'),)
    assert found.tools == tuple(TOOLS)
