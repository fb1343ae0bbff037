"""The judge of replies judges: what is right passes, each thing wrong fails."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.openai_schema import (
    SAMPLE,
    assert_reply,
    assert_stream,
    extract,
    read_published,
    schema_of,
)

PUBLISHED = Path(__file__).parents[2] / "shared" / "corpus" / "openapi" / "openai.openapi.yaml"

Chunk = dict[str, Any]


def chunk(delta: Mapping[str, Any] | None, reason: str | None = None, **more: Any) -> Chunk:
    choices = [{"index": 0, "delta": delta, "finish_reason": reason}]
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    return {**head, "choices": [] if delta is None else choices, **more}


def written(*chunks: Any, done: bool = True) -> bytes:
    events = [json.dumps(one) for one in chunks] + ["[DONE]"] * done
    return "".join(f"data: {event}\n\n" for event in events).encode()


ROLE = chunk({"role": "assistant", "content": ""})
TEXT, END = chunk({"content": "Hi"}), chunk({}, "stop")
TOKENS = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
ERROR = {"error": {"message": "m", "type": "server_error", "param": None, "code": None}}


@pytest.mark.skipif(not PUBLISHED.exists(), reason="the published description is not here")
def test_the_sample_is_the_published_description() -> None:
    assert json.loads(SAMPLE.read_bytes()) == extract(read_published(PUBLISHED))


def test_a_right_stream_passes() -> None:
    assert len(assert_stream("/v1/chat/completions", written(ROLE, TEXT, END))) == 3
    comment = b": keep-alive\n\n"
    assert_stream("/chat/completions", [comment, written(ROLE, END)])
    counted = [{**one, "usage": None} for one in (ROLE, END)]
    with_usage = written(*counted, chunk(None, usage=TOKENS))
    assert_stream("/v1/chat/completions", with_usage, usage=True)
    broken = written(ROLE, ERROR, done=False)
    assert assert_stream("/v1/chat/completions", broken, broken=True)[-1] == ERROR


@pytest.mark.parametrize(
    "chunks",
    [
        (ROLE, TEXT),
        (TEXT, END),
        (ROLE, END, TEXT),
        (ROLE, {**END, "id": "chatcmpl-2"}),
        (chunk({"role": "assistant", "content": None}), END),
        (ROLE, chunk({"content": "x"}, "stop")),
        (ROLE, {**TEXT, "choices": [{"index": 0, "delta": {}}]}, END),
        (ROLE, END, chunk(None, usage=TOKENS)),
        (ROLE, ERROR, END),
    ],
)
def test_a_wrong_stream_fails(chunks: tuple[Chunk, ...]) -> None:
    with pytest.raises(AssertionError):
        assert_stream("/v1/chat/completions", written(*chunks))


def test_a_stream_must_end_as_it_is_said_to() -> None:
    for content, broken in ((written(ROLE, END, done=False), False), (written(ROLE, END), True)):
        with pytest.raises((AssertionError, KeyError)):
            assert_stream("/v1/chat/completions", content, broken=broken)


def test_replies_and_errors_are_checked() -> None:
    assert assert_reply("/v1/models", "GET", 404, json.dumps(ERROR)) == ERROR
    listed = {"object": "list", "data": []}
    assert_reply("/v1/models?limit=1", "get", 200, listed)
    for status, body in ((200, {"data": []}), (404, {"detail": "x"}), (400, {**ERROR, "more": 1})):
        with pytest.raises(AssertionError):
            assert_reply("/v1/models", "GET", status, body)


@pytest.mark.parametrize(
    ("path", "method", "name"),
    [
        ("/v1/models/hub/name:tag", "GET", "Model"),
        ("/v1/engines/davinci/completions", "POST", "CreateCompletionResponse"),
        ("/v1/engines/a/b/chat/completions", "POST", "CreateChatCompletionResponse"),
        ("/v1/engines/a", "GET", "legacy:engine"),
        ("/v1/edits", "POST", "legacy:edit"),
        ("/v1/files/file-1", "DELETE", "DeleteFileResponse"),
    ],
)
def test_paths_lead_to_their_schema(path: str, method: str, name: str) -> None:
    assert schema_of(path, method) == name
