"""Requests back into calls: what a contract builds is read back as it was."""

import json
from typing import Any

import pytest

from plugin.contract.names import names
from plugin.contract.openapi import read
from plugin.contract.requests.request import Request, build
from plugin.harness.recording.arrivals import Arrivals
from tests.harness.planted import DOCUMENT


def parameter(name: str, where: str, schema: Any, **more: Any) -> dict[str, Any]:
    return {"name": name, "in": where, "schema": schema, "required": where == "path", **more}


def document(*parameters: Any, body: Any = None, path: str = "/x", **more: Any) -> dict[str, Any]:
    operation: dict[str, Any] = {"operationId": "op", "parameters": list(parameters)}
    operation["responses"] = {"200": {"description": "fine"}}
    if body is not None:
        operation["requestBody"] = {"content": body}
    return {
        "openapi": "3.1.0",
        "info": {"title": "t"},
        "paths": {path: {"post": operation}},
        **more,
    }


def scope_of(request: Request, **more: Any) -> dict[str, Any]:
    return {
        "type": "http",
        "method": request.method,
        "path": request.path,
        "raw_path": request.path.encode(),
        "query_string": request.query.encode(),
        "headers": [(name.lower().encode(), value.encode()) for name, value in request.headers],
        **more,
    }


INTEGERS = {"type": "array", "items": {"type": "integer"}}
OBJECT = {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "string"}}}
JSON_BODY = {"application/json": {"schema": {"type": "object", "properties": {"n": {}}}}}
ROUND_TRIPS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    (
        document(
            parameter("id", "path", {"type": "integer"}),
            parameter("name", "path", {"type": "string"}),
            path="/things/{id}/of/{name}",
        ),
        {"id": -7, "name": "北京 / 100%"},
    ),
    (
        document(
            parameter("n", "query", {"type": "number"}),
            parameter("b", "query", {"type": "boolean"}),
            parameter("s", "query", {"type": "string"}),
            parameter("o", "query", {"anyOf": [{"type": "integer"}, {"type": "null"}]}),
            parameter("e", "query", {"enum": [1, 2]}),
        ),
        {"n": 1.5, "b": False, "s": "7", "o": 3, "e": 2},
    ),
    (document(parameter("l", "query", INTEGERS)), {"l": [1, 2, 3]}),
    (document(parameter("l", "query", INTEGERS, explode=False)), {"l": [1, 2]}),
    (
        document(parameter("l", "query", INTEGERS, style="pipeDelimited", explode=False)),
        {"l": [1, 2]},
    ),
    (document(parameter("o", "query", OBJECT, style="deepObject")), {"o": {"a": 1, "b": "2"}}),
    (document(parameter("o", "query", OBJECT)), {"o": {"a": 1, "b": "2"}}),
    (document(parameter("o", "query", OBJECT, explode=False)), {"o": {"a": 1, "b": "2"}}),
    (document(parameter("X-Count", "header", {"type": "integer"})), {"X-Count": 4}),
    (document(body=JSON_BODY), {"n": [1, {"x": None}]}),
    (
        document(parameter("n", "query", {"type": "integer"}), body=JSON_BODY),
        {"n_query": 1, "n": 2},
    ),
    (document(body={"application/json": {"schema": {"type": "array"}}}), {"body": [1, "x"]}),
    (document(body={"text/plain": {"schema": {"type": "string"}}}), {"body": "hello"}),
    (
        document(body={"application/x-www-form-urlencoded": {"schema": OBJECT}}),
        {"a": 1, "b": "x y&z"},
    ),
]


@pytest.mark.parametrize(("source", "arguments"), ROUND_TRIPS)
def test_a_call_comes_back_as_it_was(source: dict[str, Any], arguments: dict[str, Any]) -> None:
    operations = names(read(json.dumps(source)))
    request = build(operations["op"], arguments)
    arrival = Arrivals(operations).find(scope_of(request))
    assert arrival is not None
    assert arrival.name == "op"
    assert arrival.arguments(request.body) == arguments


def find(method: str, path: str, query: str = "", body: bytes = b"", **more: Any) -> Any:
    arrivals = Arrivals(names(read(json.dumps(DOCUMENT))))
    headers = (("content-type", "application/json"),)
    arrival = arrivals.find(scope_of(Request(method, path, query, headers, body), **more))
    return None if arrival is None else (arrival.name, arrival.arguments(body))


def test_what_a_model_invented_is_kept() -> None:
    assert find("GET", "/items/7", "since=2026-01-01&color=red&color=blue") == (
        "get_item",
        {"id": 7, "since": "2026-01-01", "color": "blue"},
    )
    assert find("GET", "/items/seven") == ("get_item", {"id": "seven"})
    assert find("POST", "/items", body=b'{"name": 1, "extra": true}') == (
        "add_item",
        {"name": 1, "extra": True},
    )


def test_a_body_that_is_no_json_is_kept_as_text() -> None:
    assert find("POST", "/items", body=b'{"name": ') == ("add_item", '{"name": ')
    assert find("POST", "/items", body=b"[1]") == ("add_item", [1])
    assert find("POST", "/items") == ("add_item", {})


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/nothing"), ("PUT", "/items/1"), ("GET", "/items/1/2")]
)
def test_what_is_no_operation(method: str, path: str) -> None:
    assert find(method, path) is None


def test_under_a_base_path() -> None:
    assert find("GET", "/api/items/7", root_path="/api") == ("get_item", {"id": 7})
    served = {**DOCUMENT, "servers": [{"url": "https://example.com/v2/"}]}
    contract = read(json.dumps(served))
    arrivals = Arrivals(names(contract), contract.servers)
    for path in ("/v2/items/7", "/items/7"):
        found = arrivals.find(scope_of(Request("GET", path, "", (), b"")))
        assert found is not None
        assert found.name == "get_item"


def test_the_path_with_more_text_of_its_own_is_meant() -> None:
    paths = {
        path: {"get": {"operationId": name, "responses": {"200": {"description": "ok"}}}}
        for path, name in (("/{a}/{b}", "both"), ("/x/{b}", "one"), ("/x/y", "none"))
    }
    source = {"openapi": "3.1.0", "info": {"title": "t"}, "paths": paths}
    arrivals = Arrivals(names(read(json.dumps(source))))
    for path, name in (("/x/y", "none"), ("/x/z", "one"), ("/z/y", "both")):
        found = arrivals.find(scope_of(Request("GET", path, "", (), b"")))
        assert found is not None
        assert found.name == name
