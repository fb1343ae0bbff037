"""Recorded replies of every format: no secret is left, and the judge says the same as before."""

import gzip
import json
import zlib
from collections.abc import Callable
from typing import Any

import pytest

from plugin.harness.declared import Judges
from plugin.harness.recording.masking import Masker
from plugin.harness.recording.recorded_reply import Body, NotAReply, has_ended, make_row
from tests.harness.recordings import COLLECTIONS, EACH, in_pieces, lines_of, replies, stream

LIMIT = 10_000_000
KEY = "sk-proj-abcdefghijklmnop1234"
PARAMETERS = {
    "type": "object",
    "properties": {
        "to": {"type": "string", "format": "email"},
        "list": {"enum": ["all@corp.io"]},
        "password": {"type": "string", "maxLength": 7},
    },
    "required": ["to"],
}
ARGUMENTS = {"to": "alice@corp.io", "list": "all@corp.io", "password": "hunter2"}
TEXT = json.dumps(ARGUMENTS)
FUNCTION = {"name": "send", "parameters": PARAMETERS}
OPENAI = {"model": "gpt-4o", "tools": [{"type": "function", "function": FUNCTION}]}
FLAT = {"model": "gpt-5", "tools": [{"type": "function", "name": "send", "parameters": PARAMETERS}]}
ANTHROPIC = {"model": "claude", "tools": [{"name": "send", "input_schema": PARAMETERS}]}
GEMINI = {"tools": [{"functionDeclarations": [{"name": "send", "parameters": PARAMETERS}]}]}
LEGACY = {"model": "gpt-3.5", "functions": [FUNCTION]}


def chat(message: dict[str, Any]) -> dict[str, Any]:
    message = {"role": "assistant", "content": f"I use {KEY} of alice@corp.io", **message}
    return {"object": "chat.completion", "choices": [{"index": 0, "message": message}]}


def deltas(*found: dict[str, Any]) -> list[dict[str, Any]]:
    pieces = [{"role": "assistant", "content": ""}]
    pieces += [{"content": piece} for piece in in_pieces(f"I use {KEY} of alice@corp.io", 3)]
    return [
        {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta}]}
        for delta in (*pieces, *found)
    ]


def tool_deltas() -> list[dict[str, Any]]:
    """Two calls, their pieces mixed."""
    names = [
        {"index": at, "id": f"call_{at}", "function": {"name": "send", "arguments": ""}}
        for at in range(2)
    ]
    pieces = [
        {"index": at, "function": {"arguments": piece}}
        for piece in in_pieces(TEXT, 4)
        for at in range(2)
    ]
    return [{"tool_calls": [piece]} for piece in (*names, *pieces)]


ITEM = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "send"}
RESPONSES = {"object": "response", "output": [{**ITEM, "arguments": TEXT}], "tools": FLAT["tools"]}
RESPONSES_EVENTS = [
    {"type": "response.created", "response": {"object": "response", "output": []}},
    {
        "type": "response.output_item.added",
        "output_index": 0,
        "item": {**ITEM, "arguments": ""},
    },
    *(
        {"type": "response.function_call_arguments.delta", "output_index": 0, "delta": piece}
        for piece in in_pieces(TEXT, 4)
    ),
    {"type": "response.function_call_arguments.done", "output_index": 0, "arguments": TEXT},
    {"type": "response.output_item.done", "output_index": 0, "item": {**ITEM, "arguments": TEXT}},
    {"type": "response.completed", "response": RESPONSES},
]
MESSAGE = {
    "type": "message",
    "stop_reason": "tool_use",
    "content": [
        {"type": "text", "text": f"I use {KEY}"},
        {"type": "tool_use", "id": "toolu_1", "name": "send", "input": ARGUMENTS},
    ],
}
ANTHROPIC_EVENTS: list[dict[str, Any]] = [
    {"type": "message_start", "message": {"type": "message", "content": []}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    *(
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": piece}}
        for piece in in_pieces(f"I use {KEY}", 3)
    ),
    {
        "type": "content_block_start",
        "index": 1,
        "content_block": {"type": "tool_use", "id": "toolu_1", "name": "send", "input": {}},
    },
    *(
        {
            "type": "content_block_delta",
            "index": 1,
            "delta": {"type": "input_json_delta", "partial_json": piece},
        }
        for piece in in_pieces(TEXT, 4)
    ),
    {"type": "message_stop"},
]
GEMINI_BODY = {
    "candidates": [
        {
            "content": {
                "parts": [{"text": KEY}, {"functionCall": {"name": "send", "args": ARGUMENTS}}]
            }
        }
    ]
}
CASES: dict[str, tuple[Any, Any, str]] = {
    "chat": (
        OPENAI,
        chat({"tool_calls": [{"id": "c", "function": {"name": "send", "arguments": TEXT}}]}),
        "openai_chat",
    ),
    "chat streamed": (
        OPENAI,
        stream(*deltas(*tool_deltas()), done=True),
        "openai_chat",
    ),
    "legacy": (
        LEGACY,
        chat({"function_call": {"name": "send", "arguments": TEXT}}),
        "openai_legacy",
    ),
    "legacy streamed": (
        LEGACY,
        stream(
            *deltas(
                {"function_call": {"name": "send", "arguments": ""}},
                *({"function_call": {"arguments": piece}} for piece in in_pieces(TEXT, 4)),
            ),
            done=True,
            end="\r\n",
        ),
        "openai_legacy",
    ),
    "responses": (FLAT, RESPONSES, "openai_responses"),
    "responses streamed": (FLAT, stream(*RESPONSES_EVENTS, named=True), "openai_responses"),
    "responses cut off": (FLAT, stream(*RESPONSES_EVENTS[:-3]), "openai_responses"),
    "anthropic": (ANTHROPIC, MESSAGE, "anthropic"),
    "anthropic streamed": (ANTHROPIC, stream(*ANTHROPIC_EVENTS, named=True), "anthropic"),
    "gemini": (GEMINI, GEMINI_BODY, "gemini"),
    "gemini in chunks": (GEMINI, [GEMINI_BODY, {"usageMetadata": {}}], "gemini"),
    "gemini streamed": (GEMINI, stream(GEMINI_BODY, GEMINI_BODY), "gemini"),
}


def packed(value: Any) -> Body:
    return Body(value.encode() if isinstance(value, str) else json.dumps(value).encode())


def row_of(request: Any, response: Any, path: str = "/v1/x") -> dict[str, Any]:
    return make_row(path, packed(request), packed(response), Masker(), LIMIT)


def verdicts(row: Any) -> list[Any]:
    """What the judge says of a row, messages apart: they show values."""
    return [
        [(verdict.call.name, [(one.fault, one.pointer) for one in verdict.faults])]
        for reply in replies(row)
        for verdict in Judges().verdicts(reply)
    ]


@pytest.mark.parametrize("name", CASES)
def test_nothing_secret_is_left_and_the_judge_says_the_same(name: str) -> None:
    request, response, form = CASES[name]
    row = row_of(request, response)
    (reply,) = replies(row)
    assert reply.format == form
    assert verdicts(row) == verdicts({"request": request, "response": response})
    assert [call.name for call in reply.calls] == ["send"] * len(reply.calls)
    for call in reply.calls:
        found = json.loads(call.arguments) if isinstance(call.arguments, str) else call.arguments
        password = found.pop("password")
        assert found == {"to": "user1@example.com", "list": "all@corp.io"}
        assert password in ("xxxxxx1", "xxxxxx2"), "short enough for its schema"
    written = json.dumps(row)
    for secret in (KEY, "abcdefgh", "alice", "hunter2"):
        assert secret not in written


def test_a_stream_without_secrets_keeps_its_bytes() -> None:
    harmless = [event for event in ANTHROPIC_EVENTS if event["type"] != "content_block_delta"]
    text = ": ping\r\n\r\n" + stream(*harmless, named=True, end="\r\n")
    assert row_of(ANTHROPIC, text)["response"] == text


def test_only_what_was_shown_to_the_model_is_kept_of_the_request() -> None:
    request = {**OPENAI, "messages": [{"content": KEY}], "tool_choice": "auto", "user": "alice"}
    row = row_of(request, CASES["chat"][1])
    assert row["request"] == {**OPENAI, "tool_choice": "auto"}
    row = row_of(GEMINI, GEMINI_BODY, "/v1beta/models/gemini-3-pro:streamGenerateContent?key=k")
    assert row["request"] == {"model": "gemini-3-pro", **GEMINI}


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b'{"object": "list", "data": []}', "it is no reply of a model"),
        (b'{"error": {"message": "no"}}', "it is no reply of a model"),
        (b'data: {"error": {"message": "no"}}\n\n', "it is no reply of a model"),
        (b"<html>", "it is not JSON"),
        (b"", "it is not JSON"),
        (b"\xff\xfe", "it is not text"),
        (b'{"messages": [{"role": "assistant", "content": "x"}]}', "it is no reply of a model"),
    ],
)
def test_what_is_no_reply(body: bytes, why: str) -> None:
    with pytest.raises(NotAReply, match=why):
        make_row("/", packed(OPENAI), Body(body), Masker(), LIMIT)


def test_a_reply_that_the_provider_broke_off() -> None:
    events = [*ANTHROPIC_EVENTS[:4], {"type": "error", "error": {"message": "overloaded"}}]
    with pytest.raises(NotAReply, match="broke it off"):
        row_of(ANTHROPIC, stream(*events))


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "identity", ""])
def test_packed_bodies(encoding: str) -> None:
    content = json.dumps(MESSAGE).encode()
    packing: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.compress, "deflate": zlib.compress}
    body = Body(packing.get(encoding, bytes)(content), encoding)
    assert make_row("/", packed(ANTHROPIC), body, Masker(), LIMIT)["response"]["content"]


def test_a_small_body_may_be_large_inside() -> None:
    with pytest.raises(NotAReply, match="larger than 1000 bytes"):
        Body(gzip.compress(b"0" * 1_000_000), "gzip").text(1000)
    with pytest.raises(NotAReply, match="packed as br"):
        Body(b"x", "br").text(1000)
    with pytest.raises(NotAReply, match="cannot be unpacked"):
        Body(b"x", "gzip").text(1000)


@pytest.mark.parametrize(
    ("text", "ended"),
    [
        ("data: [DONE]\n\n", True),
        ('event: message_stop\ndata: {"type": "message_stop"}\n\n', True),
        ('data: {"type":"response.completed","response":{}}', True),
        ('data: {"type":"response.output_text.delta","delta":"[DONE]"}', False),
        ('data: {"type":"content_block_stop","index":0}', False),
    ],
)
def test_the_last_event_of_a_stream(text: str, ended: bool) -> None:
    assert has_ended(text) is ended


@pytest.mark.parametrize("name", EACH)
def test_the_judge_says_the_same_of_every_recorded_reply(name: str) -> None:
    rows = [row for row in lines_of(COLLECTIONS[name].wire) if row.get("request")]
    masker, made = Masker(), 0
    for row in rows if name == "samples" else rows[::3]:
        try:
            found = make_row("/", packed(row["request"]), packed(row["response"]), masker, LIMIT)
        except NotAReply:
            continue
        made += 1
        assert verdicts(found) == verdicts({key: row[key] for key in ("request", "response")})
    assert made == 72 if name == "samples" else made > 100
