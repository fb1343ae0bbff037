"""Below `/v1` every error has OpenAI's form and headers, wherever it arises."""

from typing import Any

import pytest

from plugin.engines.scripted import Scripted, breaking_off
from plugin.errors import (
    ContextLengthExceeded,
    EngineUnavailable,
    InvalidRequest,
    NotOffered,
    UpstreamRefused,
)
from tests.api.v1.scripted_doors import Doors
from tests.openai_schema import assert_reply

CHAT = "/v1/chat/completions"
HELLO = {"model": "gpt-4", "messages": [{"role": "user", "content": "Hello"}]}
HEADERS = {
    *("x-request-id", "openai-processing-ms", "openai-version"),
    *(
        f"x-ratelimit-{what}-{of}"
        for what in ("limit", "remaining", "reset")
        for of in ("requests", "tokens")
    ),
}

Asked = tuple[str, str, Any, dict[str, str]]

CASES: dict[str, tuple[Asked, int, str, str | None, str]] = {
    "unknown": (("GET", "/v1/foo", None, {}), 404, "unknown_url", None, "GET /v1/foo."),
    "responses": (
        ("POST", "/v1/responses", {}, {}),
        *(404, "unknown_url", None, "POST /v1/chat/completions"),
    ),
    "v1": (("GET", "/v1", None, {}), 404, "unknown_url", None, "GET /v1."),
    "method": (("GET", CHAT, None, {}), 405, "method_not_allowed", None, "use POST"),
    "nobody": (
        ("POST", CHAT, HELLO, {"authorization": ""}),
        *(401, "invalid_api_key", None, "Incorrect API key provided"),
    ),
    "key": (
        ("POST", CHAT, HELLO, {"authorization": "Bearer sk-wrong"}),
        *(401, "invalid_api_key", None, "Incorrect API key provided"),
    ),
    "scope": (
        ("POST", CHAT, HELLO, {"authorization": "Bearer reader"}),
        *(403, "missing_scope", None, "gpt:use"),
    ),
    "size": (
        ("POST", CHAT, {**HELLO, "user": "x" * 1_000_001}, {}),
        *(413, "body_too_large", None, "1000000 bytes"),
    ),
    "type": (
        ("POST", CHAT, HELLO, {"content_type": "text/plain"}),
        *(415, "unsupported_media_type", None, "application/json"),
    ),
    "form": (
        ("POST", CHAT, HELLO, {"content_type": "application/x-www-form-urlencoded"}),
        *(415, "unsupported_media_type", None, "application/json"),
    ),
    "json": (("POST", CHAT, b'{"model": ', {}), 400, "invalid_value", None, "JSON"),
    "nothing": (("POST", CHAT, None, {}), 400, "missing_required_parameter", None, "missing"),
    "missing": (("POST", CHAT, {}, {}), 400, "missing_required_parameter", "model", "missing"),
    "query": (("POST", f"{CHAT}?a=1", HELLO, {}), 400, "unknown_parameter", "a", "`a`"),
}


@pytest.mark.parametrize(("asked", "status", "code", "param", "words"), CASES.values(), ids=CASES)
async def test_errors_of_the_doors(
    asked: Asked, status: int, code: str, param: str | None, words: str
) -> None:
    method, path, body, headers = asked
    if isinstance(body, dict) and "messages" in body:
        body = {**body, "stream": True}
    doors = Doors()
    reply = await doors(method, path, body, **headers)
    error = assert_reply(path, method, reply.status, reply.body)["error"]
    assert (reply.status, error["code"], error["param"]) == (status, code, param), error
    assert words in error["message"], error
    assert error["type"] == "invalid_request_error"
    assert "sk-wrong" not in error["message"]
    assert reply.headers["content-type"] == "application/json"
    assert reply.headers.keys() >= HEADERS
    assert doors.records[0]["status"] == status


ENGINE: dict[str, tuple[Exception, int, str | None, str, str | None]] = {
    "value": (
        InvalidRequest("No.", param="n"),
        *(400, "invalid_value", "invalid_request_error", "n"),
    ),
    "length": (
        ContextLengthExceeded("Too long.", param="messages"),
        *(400, "context_length_exceeded", "invalid_request_error", "messages"),
    ),
    "gone": (breaking_off(), 503, "engine_unavailable", "server_error", None),
    "not offered": (NotOffered("Set PLUGIN_X."), 501, "not_offered", "server_error", None),
    "limit": (
        UpstreamRefused("Slower.", status=429, kind="requests", code="rate_limit_exceeded"),
        *(429, "rate_limit_exceeded", "requests", None),
    ),
    "bug": (RuntimeError("secret detail"), 500, "internal_error", "server_error", None),
}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("raised", "status", "code", "kind", "param"), ENGINE.values(), ids=ENGINE)
async def test_errors_of_an_engine(
    raised: Exception, status: int, code: str, kind: str, param: str | None, *, stream: bool
) -> None:
    reply = await Doors(Scripted(refuses=raised))("POST", CHAT, {**HELLO, "stream": stream})
    error = assert_reply(CHAT, "POST", reply.status, reply.body)["error"]
    assert reply.status == status
    assert (error["code"], error["type"], error["param"]) == (code, kind, param)
    assert "secret detail" not in error["message"]
    assert reply.headers.keys() >= HEADERS
    assert reply.headers["content-type"] == "application/json"


async def test_headers_of_an_error_reach_the_caller() -> None:
    raised = EngineUnavailable("Starting.", headers={"retry-after": "1"})
    reply = await Doors(Scripted(refuses=raised))("POST", CHAT, HELLO)
    assert reply.headers["retry-after"] == "1"


async def test_good_answers_have_the_headers_too() -> None:
    doors = Doors()
    for body in (HELLO, {**HELLO, "stream": True}):
        reply = await doors("POST", CHAT, body, x_request_id="mine-1")
        assert reply.headers.keys() >= HEADERS
        assert reply.headers["x-request-id"] == "mine-1"
        assert int(reply.headers["openai-processing-ms"]) >= 1


async def test_other_ways_to_ask() -> None:
    doors = Doors()
    options = await doors("OPTIONS", CHAT)
    assert (options.status, options.headers["allow"]) == (204, "OPTIONS, POST")
    head = await doors("HEAD", "/v1/models")
    assert (head.status, head.body) == (200, b"")
    assert int(head.headers["content-length"]) > 0
    moved = await doors("POST", f"{CHAT}/", HELLO)
    assert (moved.status, moved.headers["location"]) == (307, CHAT)
    for reply in (options, head, moved):
        assert reply.headers.keys() >= HEADERS


async def test_elsewhere_errors_keep_their_form() -> None:
    reply = await Doors()("GET", "/v10/models")
    assert reply.status == 404
    assert reply.headers["content-type"] == "application/problem+json"
    assert not reply.headers.keys() & {"openai-version"}
