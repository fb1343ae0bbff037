"""Which mistakes HTTP can carry, and as which request."""

import json
from typing import Any

import pytest

from plugin.contract.names import names
from plugin.contract.openapi import read
from plugin.contract.requests.request import NotExpressible, Request
from plugin.harness.judge import Judge
from plugin.harness.wire import in_path, request_with_mistake


def _in(location: str, name: str, schema: Any, **more: Any) -> dict[str, Any]:
    return {"name": name, "in": location, "required": location == "path", "schema": schema, **more}


def _body(media_type: str) -> dict[str, Any]:
    properties = {
        "n": {"type": "integer"},
        "b": {"type": "boolean"},
        "tags": {"type": "array", "items": {"type": "integer"}},
        "s": {"type": "string"},
    }
    schema = {"type": "object", "properties": properties, "required": ["s"]}
    return {"requestBody": {"content": {media_type: {"schema": schema}}}}


NUMBERS = {"type": "array", "items": {"type": "integer"}}
QUERY = [
    _in("query", "n", {"type": "integer", "minimum": 1}),
    _in("query", "b", {"type": "boolean"}),
    _in("query", "s", {"type": "string", "enum": ["x", "y"]}),
    _in("query", "free", {"type": "string"}),
    _in("query", "list", NUMBERS),
    _in("query", "commas", NUMBERS, explode=False),
]
DOCUMENT: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {"title": "Wire", "version": "1"},
    "paths": {
        "/query": {"get": {"operationId": "query", "parameters": QUERY, "responses": {}}},
        "/path/{id}": {
            "get": {
                "operationId": "path",
                "parameters": [_in("path", "id", {"type": "integer"})],
                "responses": {},
            },
            "post": {
                "operationId": "path_and_body",
                "parameters": [_in("path", "id", {"type": "integer"})],
                **_body("application/json"),
                "responses": {},
            },
        },
        "/json": {"post": {"operationId": "json", **_body("application/json"), "responses": {}}},
        "/form": {
            "post": {
                "operationId": "form",
                **_body("application/x-www-form-urlencoded"),
                "responses": {},
            }
        },
    },
}
OPERATIONS = names(read(json.dumps(DOCUMENT)))
JUDGE = Judge({name: operation.schema for name, operation in OPERATIONS.items()})


def sent(name: str, arguments: Any, pointer: str) -> Request:
    return request_with_mistake(OPERATIONS[name], JUDGE.tools[name], arguments, pointer)


@pytest.mark.parametrize(
    ("name", "arguments", "pointer"),
    [
        ("query", {"n": "5"}, "/n"),
        ("query", {"n": [5]}, "/n"),
        ("query", {"b": "true"}, "/b"),
        ("query", {"b": "True"}, "/b"),
        ("query", {"b": 1}, "/b"),
        ("query", {"free": 5}, "/free"),
        ("query", {"free": True}, "/free"),
        ("query", {"free": ["x"]}, "/free"),
        ("query", {"s": None}, "/s"),
        ("query", {"list": "5"}, "/list"),
        ("query", {"list": ["5", "6"]}, "/list/0"),
        ("query", {"other": 1}, "/other"),
        ("query", {"N": 1}, "/N"),
        ("query", {"arguments": {"n": 1}}, "/arguments"),
        ("query", '{"n": 5', ""),
        ("path", {"id": "5"}, "/id"),
        ("path", {}, "/id"),
        ("path", {"id": None}, "/id"),
        ("path_and_body", '{"id": 5', ""),
        ("form", {"s": "x", "n": "5"}, "/n"),
        ("form", {"s": "x", "b": "false"}, "/b"),
        ("form", '{"s": ', ""),
    ],
)
def test_what_is_right_on_arrival_or_has_no_place_cannot_be_sent(
    name: str, arguments: Any, pointer: str
) -> None:
    with pytest.raises(NotExpressible):
        sent(name, arguments, pointer)


@pytest.mark.parametrize(
    ("name", "arguments", "pointer", "where"),
    [
        ("query", {"n": "five"}, "/n", "n=five"),
        ("query", {"n": True}, "/n", "n=true"),
        ("query", {"n": 2.5}, "/n", "n=2.5"),
        ("query", {"n": 0}, "/n", "n=0"),
        ("query", {"n": "0"}, "/n", "n=0"),
        ("query", {"s": "X"}, "/s", "s=X"),
        ("query", {"list": "five"}, "/list", "list=five"),
        ("path", {"id": "five"}, "/id", "/path/five"),
        ("json", {"s": "x", "n": "5"}, "/n", '"n":"5"'),
        ("json", {"s": "x", "n": None}, "/n", '"n":null'),
        ("json", {"s": "x", "tags": "1"}, "/tags", '"tags":"1"'),
        ("json", {"arguments": {"s": "x"}}, "/arguments", '{"arguments":{"s":"x"}}'),
        ("json", {"n": 1}, "/s", '{"n":1}'),
        ("json", {"s": "x", "other": 1}, "/other", '"other":1'),
        ("json", '{"s": "x"}<|call|>', "", '{"s": "x"}<|call|>'),
        ("path_and_body", {"id": 1, "s": 5}, "/s", '{"s":5}'),
        ("form", {"s": "x", "n": "five"}, "/n", "n=five"),
    ],
)
def test_what_travels(name: str, arguments: Any, pointer: str, where: str) -> None:
    request = sent(name, arguments, pointer)
    assert where in f"{request.path}?{request.query} {request.body.decode()}"


def test_text_that_is_no_json_is_announced_as_json() -> None:
    request = sent("json", "{", "")
    assert (request.method, request.path, request.body) == ("POST", "/json", b"{")
    assert request.headers == (("content-type", "application/json"),)


def test_what_stands_in_the_path() -> None:
    operation = OPERATIONS["path_and_body"]
    assert [in_path(operation, pointer) for pointer in ("/id", "/s", "")] == [True, False, False]
