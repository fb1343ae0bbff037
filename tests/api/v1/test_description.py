"""`/v1/openapi.json` says what the routes do."""

from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest
from fastapi.testclient import TestClient

from plugin.app import GPT_API
from plugin.contract.openapi import read_value
from plugin.settings import Settings
from tests.api.v1.conftest import Caller, serving, settings_in

ERRORS = {"400", "401", "403", "404", "413", "415", "429", "500", "502", "503", "504"}
OF_KEYS = {"409", "422"}


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return settings_in(tmp_path_factory.mktemp("described"))


@pytest.fixture(scope="module")
def service(settings: Settings) -> Iterator[TestClient]:
    """One service for all tests, which only read."""
    with serving(settings) as client:
        yield client


@pytest.fixture(scope="module")
def document(service: TestClient) -> Any:
    reply = service.get("/v1/openapi.json")
    assert reply.status_code == 200
    assert reply.headers["content-type"] == "application/json"
    assert reply.headers["openai-version"]
    again = service.get("/v1/openapi.json", headers={"if-none-match": reply.headers["etag"]})
    assert again.status_code == 304
    return reply.json()


def operations(document: Any) -> dict[str, Any]:
    return {
        f"{method} {path}": operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }


def test_every_route_of_the_gpt_api_is_in_it_and_nothing_else(document: Any) -> None:
    declared = (route for router in GPT_API for route in router.routes)
    # what is not offered at all is refused in words, and not described
    routes = [route for route in declared if getattr(route, "include_in_schema", True)]
    ids = {operation["operationId"] for operation in operations(document).values()}
    assert ids == {getattr(route, "operation_id", None) for route in routes}
    assert len(ids) == len(routes) >= 12
    assert all(path.startswith("/v1/") for path in document["paths"])


def test_it_is_a_document_that_clients_can_be_made_from(document: Any) -> None:
    contract = read_value(document, [])
    assert not contract.skipped
    assert len(contract.operations) == len(operations(document))
    assert not [name for name in document["components"]["schemas"] if "__" in name]


def test_replies_streams_and_errors_are_described(document: Any) -> None:
    chat = operations(document)["post /v1/chat/completions"]
    assert set(chat["responses"]) == {"200", *ERRORS, *OF_KEYS}
    content = chat["responses"]["200"]["content"]
    assert set(content) == {"application/json", "text/event-stream"}
    assert content["application/json"]["schema"]["$ref"].endswith("/ChatCompletion")
    end, value = content["text/event-stream"]["itemSchema"]["properties"]["data"]["anyOf"]
    assert end == {"const": "[DONE]"}
    named = [one["$ref"].rpartition("/")[2] for one in value["contentSchema"]["anyOf"]]
    assert named == ["ChatCompletionChunk", "ErrorBody"]
    schemas = document["components"]["schemas"]
    assert {"ChatCompletionChunk", "ErrorBody", "ErrorObject", "Delta"} <= set(schemas)
    for answer in document["components"]["responses"].values():
        assert answer["content"]["application/json"]["schema"]["$ref"].endswith("/ErrorBody")


def test_every_operation_says_what_it_does_and_which_scope_it_needs(document: Any) -> None:
    for name, operation in operations(document).items():
        assert operation["description"], name
        assert operation["security"][0]["bearer"], name
        assert {"400", "401", "403", "429", "500"} <= set(operation["responses"]), name
        assert ("422" in operation["responses"]) is name.startswith("post "), name


def test_only_what_may_lack_an_engine_is_not_offered(document: Any) -> None:
    with_501 = {name for name, one in operations(document).items() if "501" in one["responses"]}
    painted = {f"post /v1/images/{what}" for what in ("generations", "edits", "variations")}
    assert with_501 == {*painted, "post /v1/moderations"}


def test_a_post_may_be_repeated_under_a_key(document: Any) -> None:
    for name, operation in operations(document).items():
        given = [one["$ref"] for one in operation.get("parameters", ()) if "$ref" in one]
        posts = name.startswith("post ")
        assert given == ["#/components/parameters/Idempotency-Key"] * posts, name
        conflicts = posts and not name.endswith(("/edits", "/embeddings"))
        assert ("409" in operation["responses"]) is conflicts, name
        replayed = "idempotency-replayed" in operation["responses"]["200"]["headers"]
        assert replayed is posts, name
    key = document["components"]["parameters"]["Idempotency-Key"]
    assert (key["in"], key["required"]) == ("header", False)


def test_when_to_come_again_is_described(document: Any) -> None:
    answers, headers = document["components"]["responses"], document["components"]["headers"]
    limits = {
        f"x-ratelimit-{what}-{measure}"
        for what in ("limit", "remaining", "reset")
        for measure in ("requests", "tokens")
    }
    assert limits | {"retry-after", "retry-after-ms"} <= set(answers["TooManyRequests"]["headers"])
    assert {"retry-after"} | limits <= set(answers["ServiceUnavailable"]["headers"])
    for answer in answers.values():
        assert all(one["$ref"].rpartition("/")[2] in headers for one in answer["headers"].values())


def test_a_rule_that_no_schema_tells_is_told_in_words(document: Any) -> None:
    answers = document["components"]["responses"]
    chat = operations(document)["post /v1/chat/completions"]["responses"]["400"]
    told = answers[chat["$ref"].rpartition("/")[2]]
    params = {rule["param"] for rule in told["x-rules"]}
    assert {"messages[].tool_call_id", "tool_choice", "model", "*"} <= params
    assert all(rule["text"] in told["description"] for rule in told["x-rules"])


USER = {"role": "user", "content": "hi"}
TOOL = {"type": "function", "function": {"name": "f"}}
CHAT: dict[str, Any] = {"model": "m", "messages": [USER]}
TEXT: dict[str, Any] = {"model": "m"}


@pytest.mark.parametrize(
    ("path", "body", "refused"),
    [
        ("chat/completions", CHAT, {}),
        ("chat/completions", CHAT | {"stream": True}, {"stream": False}),
        ("chat/completions", CHAT | {"logprobs": True}, {"logprobs": None}),
        ("chat/completions", CHAT | {"max_tokens": 1}, {"max_completion_tokens": 1}),
        ("chat/completions", CHAT | {"functions": [{"name": "f"}]}, {"tools": [TOOL]}),
        ("chat/completions", CHAT | {"tools": [TOOL], "tool_choice": "required"}, {"tools": []}),
        (
            "chat/completions",
            CHAT | {"functions": [{"name": "f"}], "function_call": {"name": "f"}},
            {"functions": None},
        ),
        (
            "chat/completions",
            CHAT | {"messages": [{"role": "assistant", "refusal": "no"}]},
            {"messages": [{"role": "assistant", "content": None, "tool_calls": []}]},
        ),
        (
            "chat/completions",
            CHAT | {"functions": [{"name": "f", "parameters": {"type": "object"}}]},
            {"functions": [{"name": "f", "parameters": {"type": "string"}}]},
        ),
        ("chat/completions", CHAT | {"logit_bias": {"1": 1}}, {"logit_bias": {"a": 1}}),
        ("completions", TEXT | {"stream": True, "stream_options": {}}, {"stream": None}),
        ("edits", TEXT | {"instruction": "a", "stream": False}, {"stream": 0}),
        ("chat/completions", CHAT | {"seed": 9_223_372_036_854_776_000}, {"seed": 10**19}),
    ],
)
def test_the_schemas_know_the_rules_between_members(
    call: Caller, document: Any, path: str, body: dict[str, Any], refused: dict[str, Any]
) -> None:
    if "stream" in body and path == "chat/completions":
        body = body | {"stream_options": {"include_usage": True}}
    if "logprobs" in body:
        body = body | {"top_logprobs": 1}
    [schema] = document["paths"][f"/v1/{path}"]["post"]["requestBody"]["content"].values()
    whole = {**schema["schema"], "components": document["components"]}
    validator = jsonschema_rs.Draft202012Validator(whole)
    assert validator.is_valid(body)
    # past the schema nobody answers for the model
    assert call("POST", f"/v1/{path}", json=body).json()["error"]["code"] == "model_not_found"
    if refused:
        assert not validator.is_valid(body | refused)
        assert call("POST", f"/v1/{path}", json=body | refused).status_code == 400


def test_it_is_not_what_models_call(service: TestClient) -> None:
    paths = service.get("/openapi.json").json()["paths"]
    assert not [path for path in paths if path.startswith("/v1")]
