"""Gemini: whole, as an array of chunks, as events."""

from typing import Any

import pytest

from plugin.messages import Call
from tests.harness.recordings import replies, stream, the_reply


def body(*parts: Any, **more: Any) -> dict[str, Any]:
    return {"candidates": [{"content": {"role": "model", "parts": list(parts)}}], **more}


def called(name: str, args: Any = None, **more: Any) -> dict[str, Any]:
    given = {} if args is None else {"args": args}
    return {"functionCall": {"name": name, **given, **more}}


F, G = called("f", {"city": "Paris"}), called("g", id="7")
BOTH = (Call(None, "f", {"city": "Paris"}), Call("7", "g", None))


def test_whole() -> None:
    assert the_reply(body({"text": "Hm"}, F, {"thoughtSignature": "x"}, G), "gemini") == BOTH


def test_the_names_of_the_python_sdk() -> None:
    snake = {"function_call": {"name": "f", "args": {"city": "Paris"}}}
    assert the_reply(body(snake), "gemini") == BOTH[:1]


@pytest.mark.parametrize(
    "part",
    [
        {"toolCall": {"toolType": "GOOGLE_SEARCH", "args": {}}},
        {"executableCode": {"language": "PYTHON", "code": "1"}},
        {"functionResponse": {"name": "f", "response": {}}},
        {"functionCall": None},
    ],
)
def test_what_the_provider_ran_is_no_call_of_ours(part: dict[str, Any]) -> None:
    assert the_reply(body(part), "gemini") == ()


@pytest.mark.parametrize(
    "empty",
    [
        {"candidates": [{"finishReason": "MALFORMED_FUNCTION_CALL"}]},
        {"candidates": [{"content": {"role": "model"}}]},
        {"candidates": []},
        {"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {}},
    ],
)
def test_a_reply_that_says_nothing_is_one_without_calls(empty: dict[str, Any]) -> None:
    assert the_reply(empty, "gemini") == ()


CHUNKS = [
    body({"text": "Hm"}, responseId="r"),
    body(F, responseId="r"),
    body(G, responseId="r"),
    {"usageMetadata": {"totalTokenCount": 3}, "responseId": "r"},
]


def test_an_array_of_chunks_is_one_reply() -> None:
    assert the_reply({"response": CHUNKS}, "gemini") == BOTH
    assert the_reply(CHUNKS, "gemini") == BOTH


def test_an_array_of_replies_is_several() -> None:
    first, second = body(F, responseId="r1"), body(G, responseId="r2")
    found = replies([first, second])
    assert [(reply.row, reply.calls) for reply in found] == [(1, BOTH[:1]), (2, BOTH[1:])]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_events(end: str) -> None:
    assert the_reply({"response": stream(*CHUNKS, end=end)}, "gemini") == BOTH


def test_candidates_are_replies() -> None:
    two = {"candidates": [*body(F)["candidates"], *body(G)["candidates"]]}
    assert [reply.calls for reply in replies(two)] == [BOTH[:1], BOTH[1:]]
    by_index = [
        {"candidates": [{"index": 1, "content": {"parts": [G]}}]},
        {"candidates": [{"index": 0, "content": {"parts": [F]}}]},
    ]
    assert [reply.calls for reply in replies({"response": by_index})] == [BOTH[:1], BOTH[1:]]
