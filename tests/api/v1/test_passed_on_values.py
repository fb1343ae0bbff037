"""Values that OpenAI refuses and other servers take: passed on as written, refused by our own."""

import json
from typing import Any

import pytest

from plugin.engines.engine import Ask
from plugin.engines.upstream_request import prepare
from tests.api.v1.fixed_engine import Fixed, serve
from tests.engines.scripted_upstream import reply

CHAT, TEXT, VECTORS = "/v1/chat/completions", "/v1/completions", "/v1/embeddings"
HELLO = [{"role": "user", "content": "Hello"}]


class PassesOn(Fixed):
    passes_on = True


def tool(name: str) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "parameters": {"type": "object"}}}


VIDEO = [{"type": "video_url", "video_url": {"url": "https://example.com/a.mp4"}}]
TAKEN_ELSEWHERE: list[tuple[str, dict[str, Any]]] = [
    (CHAT, {"stop": ["a", "b", "c", "d", "e"]}),
    (CHAT, {"temperature": 2.5}),
    (CHAT, {"top_p": 1.5}),
    (CHAT, {"n": 200}),
    (CHAT, {"messages": [{"role": "user", "content": VIDEO}]}),
    (CHAT, {"messages": [{"role": "model", "content": "x"}]}),
    (CHAT, {"messages": [{"role": "user", "content": "x", "name": "a b <c>"}]}),
    (CHAT, {"tools": [tool("files.read")]}),
    (CHAT, {"tools": [tool(f"t{number}") for number in range(129)]}),
    (CHAT, {"tools": [{"type": "web_search"}]}),
    (CHAT, {"service_tier": "on_demand"}),
    (CHAT, {"response_format": {"type": "grammar", "grammar": "root ::= x"}}),
    (CHAT, {"logprobs": 5}),
    (CHAT, {"max_tokens": 0}),
    (CHAT, {"max_tokens": 5, "max_completion_tokens": 5}),
    (CHAT, {"reasoning_effort": 3}),
    (TEXT, {"prompt": "x", "logprobs": 20}),
    (TEXT, {"prompt": "x", "best_of": 1, "n": 2}),
    (VECTORS, {"input": "x", "encoding_format": "int8"}),
    (VECTORS, {"input": [{"text": "x"}]}),
]
NOT_UNDERSTOOD: list[tuple[str, dict[str, Any]]] = [
    (CHAT, {"messages": "Hello"}),
    (CHAT, {"messages": ["Hello"]}),
    (CHAT, {"messages": None}),
    (CHAT, {"stream": "yes"}),
    (CHAT, {"n": "2"}),
    (CHAT, {"max_tokens": "many"}),
    (CHAT, {"model": 3}),
    (TEXT, {"prompt": 5}),
    (VECTORS, {"input": 5}),
    (VECTORS, {}),
]


def asked(path: str, more: dict[str, Any]) -> bytes:
    chat = {"messages": HELLO} if path == CHAT else {}
    text = json.dumps({"model": "far", **chat, **more}, indent=1)
    return text.replace("2.5", "2.50").encode()


def ids(cases: list[tuple[str, dict[str, Any]]]) -> list[str]:
    return [f"{path} {json.dumps(more)[:60]}" for path, more in cases]


@pytest.mark.parametrize(("path", "more"), TAKEN_ELSEWHERE, ids=ids(TAKEN_ELSEWHERE))
def test_an_upstream_gets_them_octet_for_octet(
    service: Any, call: Any, path: str, more: dict[str, Any]
) -> None:
    engine = PassesOn(reply())
    serve(service, engine, ("far", "embedding" if path == VECTORS else "text"))
    body = asked(path, more)
    answered = call("POST", path, content=body, headers={"content-type": "application/json"})
    assert answered.status_code == 200, answered.text
    (ask,) = engine.asked
    assert prepare(ask, count=True).body == body


@pytest.mark.parametrize(("path", "more"), TAKEN_ELSEWHERE, ids=ids(TAKEN_ELSEWHERE))
def test_an_engine_of_our_own_refuses_them_with_the_reason(
    service: Any, call: Any, path: str, more: dict[str, Any]
) -> None:
    engine = Fixed(reply())
    serve(service, engine, ("far", "embedding" if path == VECTORS else "text"))
    answered = call(
        "POST", path, content=asked(path, more), headers={"content-type": "application/json"}
    )
    assert answered.status_code == 400
    assert answered.json()["error"]["param"]
    assert not engine.asked


@pytest.mark.parametrize(("path", "more"), NOT_UNDERSTOOD, ids=ids(NOT_UNDERSTOOD))
def test_what_we_must_understand_is_refused_for_every_engine(
    service: Any, call: Any, path: str, more: dict[str, Any]
) -> None:
    engine = PassesOn(reply())
    serve(service, engine, ("far", "embedding" if path == VECTORS else "text"))
    answered = call(
        "POST", path, content=asked(path, more), headers={"content-type": "application/json"}
    )
    assert answered.status_code == 400, answered.text
    assert not engine.asked


def sent(content: bytes, *, stream: bool = False, model: str = "small") -> bytes:
    body = {**json.loads(content), **({"stream": True} if stream else {})}
    ask = Ask("chat/completions", body, body["model"], model, content=content)
    return prepare(ask, count=True).body


def test_only_the_models_name_and_the_count_are_ours() -> None:
    content = b' {"temperature": 2.50, "model": "far"}'
    assert sent(content) == content.replace(b'"far"', b'"small"')
    assert sent(content, stream=True) == content.replace(b'"far"', b'"small"').replace(
        b"{", b'{"stream_options":{"include_usage":true},'
    )


def test_a_member_that_comes_twice_is_sent_once() -> None:
    for twice in (
        b'{"model": "dear", "n": 200, "model": "far"}',
        b'{"mod\\u0065l": "dear", "model": "far"}',
    ):
        assert b"dear" not in sent(twice)
