"""Every reply of the running service is as OpenAI published it, streams and errors included."""

import json
from collections.abc import Mapping
from operator import mul
from typing import Any

import pytest

from tests.clients.gpt_service import GptService
from tests.clients.mutated_bodies import GOOD
from tests.journeys.running import Answer
from tests.openai_schema import assert_reply, assert_stream

BOUNDARY = "boundary"


def call(
    gpt: GptService, method: str, path: str, body: Any = None, headers: Mapping[str, str] = {}
) -> Answer:
    sent = {"authorization": f"Bearer {gpt.key}", "content-type": "application/json", **headers}
    content = body if isinstance(body, bytes) or body is None else json.dumps(body)
    return gpt.running.address.call(method, path, sent, content)


def checked(gpt: GptService, method: str, path: str, body: Any = None) -> Any:
    answer = call(gpt, method, path, body)
    assert answer.status == 200, answer.body
    return assert_reply(path, method, answer.status, answer.body)


@pytest.mark.parametrize(("path", "body"), GOOD, ids=lambda value: str(value)[:40])
def test_good_bodies(gpt: GptService, path: str, body: dict[str, Any]) -> None:
    answer = call(gpt, "POST", path, body)
    if body.get("stream"):
        usage = "stream_options" in body
        chunks = assert_stream(path, answer.body, usage=usage)
        assert chunks
        return
    assert answer.status == (501 if "images" in path else 200), answer.body
    assert_reply(path, "POST", answer.status, answer.body)


@pytest.mark.parametrize("shape", ["tools", "functions"])
@pytest.mark.parametrize("stream", [False, True])
def test_calls(gpt: GptService, shape: str, stream: bool) -> None:
    body = next(body for _, body in GOOD if shape in body) | {"stream": stream}
    body["messages"] = [{"role": "user", "content": "What is the weather in Paris?"}]
    answer = call(gpt, "POST", "/v1/chat/completions", body)
    assert answer.status == 200, answer.body
    if stream:
        chunks = assert_stream("/v1/chat/completions", answer.body)
        reasons = {choice["finish_reason"] for chunk in chunks for choice in chunk["choices"]}
    else:
        reply = assert_reply("/v1/chat/completions", "POST", 200, answer.body)
        reasons = {choice["finish_reason"] for choice in reply["choices"]}
    assert {"tool_calls" if shape == "tools" else "function_call"} <= reasons


def test_what_there_is(gpt: GptService) -> None:
    for path in ("/v1/models", "/v1/engines", "/v1/files", "/v1/usage?date=2026-11-23"):
        checked(gpt, "GET", path)
    for model in checked(gpt, "GET", "/v1/models")["data"]:
        checked(gpt, "GET", f"/v1/models/{model['id']}")
        checked(gpt, "GET", f"/v1/engines/{model['id']}")


def test_the_life_of_a_file(gpt: GptService) -> None:
    line = '{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}'
    form = (
        f'--{BOUNDARY}\r\ncontent-disposition: form-data; name="purpose"\r\n\r\nfine-tune\r\n'
        f'--{BOUNDARY}\r\ncontent-disposition: form-data; name="file"; filename="t.jsonl"\r\n\r\n'
        f"{line}\r\n--{BOUNDARY}--\r\n"
    ).encode()
    kind = {"content-type": f"multipart/form-data; boundary={BOUNDARY}"}
    answer = call(gpt, "POST", "/v1/files", form, kind)
    stored = assert_reply("/v1/files", "POST", answer.status, answer.body)
    assert checked(gpt, "GET", f"/v1/files/{stored['id']}") == stored
    assert call(gpt, "GET", f"/v1/files/{stored['id']}/content").body.decode() == line
    assert stored in checked(gpt, "GET", "/v1/files")["data"]
    assert checked(gpt, "DELETE", f"/v1/files/{stored['id']}")["deleted"]
    gone = call(gpt, "GET", f"/v1/files/{stored['id']}")
    assert_reply("/v1/files/x", "GET", gone.status, gone.body)
    assert gone.status == 404


@pytest.mark.parametrize(
    ("method", "path", "status", "headers"),
    [
        ("GET", "/v1/nothing", 404, {}),
        ("GET", "/v1/chat/completions", 405, {}),
        ("GET", "/v1/models", 401, {"authorization": "Bearer sk-wrong"}),
        ("GET", "/v1/models/no-such", 404, {}),
        ("POST", "/v1/chat/completions", 415, {"content-type": "text/plain"}),
    ],
)
def test_errors(
    gpt: GptService, method: str, path: str, status: int, headers: Mapping[str, str]
) -> None:
    answer = call(gpt, method, path, b"{}" if method == "POST" else None, headers)
    assert answer.status == status
    assert_reply(path, method, answer.status, answer.body)
    limits = [f"x-ratelimit-{a}-requests" for a in ("limit", "remaining", "reset")]
    for name in ("x-request-id", "openai-processing-ms", "openai-version", *limits):
        assert answer.headers[name], name


USER = [{"role": "user", "content": "Hello, world!"}]


@pytest.mark.parametrize(
    ("path", "change", "told"),
    [
        ("/v1/chat/completions", {"model": "no-such"}, (404, "model_not_found", "model")),
        ("/v1/chat/completions", {"temperature": 9}, (400, "invalid_value", "temperature")),
        (
            "/v1/chat/completions",
            {"messages": [{"role": "nobody", "content": "x"}]},
            (400, "invalid_value", "messages[0].role"),
        ),
        (
            "/v1/chat/completions",
            {"messages": [{"role": "user", "content": "word " * 20_000}]},
            (400, "context_length_exceeded", "messages"),
        ),
        ("/v1/images/generations", {"prompt": "a cat"}, (501, "not_offered", "model")),
        ("/v1/no/such/path", {}, (404, "unknown_url", None)),
    ],
    ids=["no model", "temperature", "role", "too long", "image", "no path"],
)
def test_errors_from_which_sdks_make_exceptions(
    gpt: GptService, path: str, change: dict[str, Any], told: tuple[Any, ...]
) -> None:
    answer = call(gpt, "POST", path, {"model": "gpt-4", "messages": USER} | change)
    error = answer.json()["error"]
    assert (answer.status, error["code"], error["param"]) == told
    assert error["message"]


def test_what_sdks_read_beside_the_schema(gpt: GptService) -> None:
    asked = {"model": "gpt-4", "messages": USER, "max_tokens": 6, "temperature": 0}
    answer = call(gpt, "POST", "/v1/chat/completions", asked)
    limits = [f"{a}-{b}" for a in ("limit", "remaining", "reset") for b in ("requests", "tokens")]
    assert {f"x-ratelimit-{name}" for name in limits} <= answer.headers.keys()
    assert answer.headers["x-request-id"].startswith("req_")
    whole = answer.json()["choices"][0]["message"]["content"]

    options = {"stream": True, "stream_options": {"include_usage": True}}
    streamed = call(gpt, "POST", "/v1/chat/completions", asked | options)
    chunks = assert_stream("/v1/chat/completions", streamed.body, usage=True)
    assert len({(chunk["id"], chunk["created"], chunk["model"]) for chunk in chunks}) == 1
    deltas = [choice["delta"] for chunk in chunks for choice in chunk["choices"]]
    assert "".join(delta.get("content") or "" for delta in deltas) == whole
    assert chunks[-1]["usage"]["completion_tokens"] > 0

    several = checked(gpt, "POST", "/v1/chat/completions", asked | {"n": 3, "logprobs": True})
    assert [choice["index"] for choice in several["choices"]] == [0, 1, 2]
    assert all(choice["logprobs"]["content"] for choice in several["choices"])

    texts = {"model": "text-embedding-3-small", "input": ["a cat", "a kitten", "the stock market"]}
    for more, length in (({}, 384), ({"dimensions": 128}, 128)):
        vectors = checked(gpt, "POST", "/v1/embeddings", texts | more)["data"]
        cat, kitten, market = (one["embedding"] for one in vectors)
        assert len(cat) == length
        assert sum(map(mul, cat, kitten)) > sum(map(mul, cat, market))
        assert abs(sum(map(mul, cat, cat)) - 1) < 1e-3

    offered = {one["id"] for one in checked(gpt, "GET", "/v1/models")["data"]}
    assert offered >= {"gpt-4", "gpt-4-32k", "gpt-3.5-turbo", "text-davinci-003"}


def test_a_body_that_is_too_large(gpt: GptService) -> None:
    answer = call(gpt, "POST", "/v1/chat/completions", b" " * 1_100_000)
    assert answer.status == 413
    assert_reply("/v1/chat/completions", "POST", answer.status, answer.body)
