"""`/v1/openapi.json` says what the routes do."""

from typing import Any

import pytest
from fastapi.testclient import TestClient

from plugin.app import GPT_API
from plugin.contract.openapi import read_value

ERRORS = {"400", "401", "403", "404", "413", "415", "429", "500", "501", "503"}


@pytest.fixture
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
    assert set(chat["responses"]) == {"200", *ERRORS}
    content = chat["responses"]["200"]["content"]
    names = {kind: told["schema"]["$ref"].rpartition("/")[2] for kind, told in content.items()}
    assert names == {
        "application/json": "ChatCompletion",
        "text/event-stream": "ChatCompletionChunk",
    }
    schemas = document["components"]["schemas"]
    assert {"ChatCompletionChunk", "ErrorBody", "ErrorObject", "Delta"} <= set(schemas)
    for answer in document["components"]["responses"].values():
        assert answer["content"]["application/json"]["schema"]["$ref"].endswith("/ErrorBody")


def test_every_operation_says_what_it_does_and_which_scope_it_needs(document: Any) -> None:
    for name, operation in operations(document).items():
        assert operation["description"], name
        assert operation["security"][0]["bearer"], name
        assert {"400", "401", "403", "429", "500"} <= set(operation["responses"]), name
        assert "422" not in operation["responses"], name


def test_it_is_not_what_models_call(service: TestClient) -> None:
    paths = service.get("/openapi.json").json()["paths"]
    assert not [path for path in paths if path.startswith("/v1")]
