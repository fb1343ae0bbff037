"""Whatever comes, the doors answer with a reply or with an error of the right form."""

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.api.v1.scripted_doors import Doors
from tests.openai_schema import assert_reply

CALL = {"id": "call_1", "type": "function", "function": {"name": "add", "arguments": "{}"}}
GOOD: dict[str, Any] = {
    "/v1/chat/completions": {
        "model": "gpt-4",
        "messages": [
            {"role": "system", "content": "Be brief"},
            {"role": "user", "content": [{"type": "text", "text": "Add"}]},
            {"role": "assistant", "content": None, "tool_calls": [CALL]},
            {"role": "tool", "tool_call_id": "call_1", "content": "3"},
        ],
        "tools": [{"type": "function", "function": {"name": "add", "parameters": {}}}],
        "tool_choice": {"type": "function", "function": {"name": "add"}},
        "response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": {}}},
        "logit_bias": {"1": 2},
        "stop": ["a"],
        "n": 1,
        "max_tokens": 5,
        "stream_options": None,
    },
    "/v1/completions": {"model": "gpt-4", "prompt": [[1], [2]], "n": 1, "best_of": 1, "stop": "a"},
    "/v1/embeddings": {"model": "text-embedding-ada-002", "input": ["a"], "dimensions": 3},
    "/v1/edits": {"model": "gpt-4", "input": "a", "instruction": "b", "n": 1},
}

odd = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 200),
    st.integers(),
    st.floats(),
    st.sampled_from(["", "auto", "user", "tool", "\ud800", "\x00", "gpt-4", "1" * 300, "é" * 40]),
    st.sampled_from([[], {}, [[]], [{}], {"type": "function"}, {"role": "assistant"}, [1, "a"]]),
    st.text(max_size=5),
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    keys = value.keys() if isinstance(value, dict) else range(len(value))
    found = [(*path, key) for key in keys]
    for key in keys:
        if isinstance(value[key], dict | list):
            found += places(value[key], (*path, key))
    return found


def changed(body: Any, data: st.DataObject) -> Any:
    body = copy.deepcopy(body)
    for _ in range(data.draw(st.integers(1, 2))):
        *way, last = data.draw(st.sampled_from(places(body)))
        inner = body
        for key in way:
            inner = inner[key]
        if data.draw(st.integers(0, 4)) == 0 and isinstance(inner, dict):
            del inner[last]
        else:
            inner[last] = copy.deepcopy(data.draw(odd))
        if not places(body):
            break
    return body


@pytest.mark.parametrize("path", GOOD)
@given(data=st.data())
async def test_a_changed_body_is_answered_or_refused(path: str, data: st.DataObject) -> None:
    body = changed(GOOD[path], data)
    reply = await Doors()("POST", path, json.dumps(body).encode())
    assert reply.status in {200, 400, 404}, (reply.status, reply.body)
    if reply.headers["content-type"] == "application/json":
        said = assert_reply(path, "POST", reply.status, reply.body)
        assert reply.status == 200 or said["error"]["type"] == "invalid_request_error"
