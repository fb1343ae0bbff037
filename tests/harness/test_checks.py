"""Single checks where a whole replay would hide them."""

import json
from typing import Any

import pytest

from plugin.contract.names import names
from plugin.contract.openapi import read
from plugin.contract.requests.request import Request
from plugin.harness.checks import Checks, Limits
from plugin.harness.exchange import Exchange, Response

REQUEST = Request("GET", "/x", "", (), b"")


def failures(
    responses: dict[str, Any], status: int, body: bytes, media_type: str = "application/json"
) -> dict[str, str]:
    """The failed checks of one answer to an operation that declares `responses`."""
    paths = {"/x": {"get": {"operationId": "x", "responses": responses}}}
    document = {"openapi": "3.1.0", "info": {"title": "x", "version": "1"}, "paths": paths}
    operation = names(read(json.dumps(document)))["x"]
    headers = (("content-type", media_type),) if media_type else ()
    exchange = Exchange(REQUEST, Response(status, headers, body), 1.0)
    checks = Checks(Limits())(operation, exchange)
    return {check.check: check.message for check in checks if not check.ok}


def of(**content: Any) -> dict[str, Any]:
    kinds = {
        "json": "application/json",
        "problem": "application/problem+json",
        "text": "text/plain",
    }
    return {
        "description": "…",
        "content": {kinds[kind]: {"schema": schema} for kind, schema in content.items()},
    }


NUMBER = {"type": "integer"}


@pytest.mark.parametrize(
    ("responses", "status", "body", "expected"),
    [
        ({"200": of(json=NUMBER)}, 200, b"1", []),
        ({"2XX": of(json=NUMBER)}, 204, b"1", []),
        ({"2XX": of(json=NUMBER), "201": of(json={"type": "string"})}, 201, b'"x"', []),
        ({"default": of(json=NUMBER)}, 418, b"1", []),
        ({"default": of(json=NUMBER)}, 500, b"1", ["status"]),
        ({"500": of(json=NUMBER)}, 500, b"1", ["status"]),
        ({"5XX": of(json=NUMBER)}, 503, b"1", ["status"]),
        ({"503": of(json=NUMBER)}, 503, b"1", []),
        ({"200": of(json=NUMBER)}, 404, b"1", ["status"]),
        ({"200": {"description": "…"}}, 200, b"anything", []),
        ({"200": of(json=True)}, 200, b"nonsense", ["schema"]),
        ({"200": of(json=False)}, 200, b"1", ["schema"]),
        ({}, 200, b"1", ["status"]),
    ],
)
def test_status_and_schema(
    responses: dict[str, Any], status: int, body: bytes, expected: list[str]
) -> None:
    assert list(failures(responses, status, body)) == expected


def test_the_media_type_chooses_the_schema() -> None:
    responses = {"200": of(json=NUMBER, problem={"type": "string"}, text={"type": "string"})}
    assert failures(responses, 200, b"1") == {}
    assert list(failures(responses, 200, b"1", "application/problem+json")) == ["schema"]
    assert failures(responses, 200, b"anything", "text/plain; charset=utf-8") == {}
    assert list(failures(responses, 200, b"1", "application/xml")) == ["content_type"]
    assert list(failures(responses, 200, b"1", "")) == ["content_type"]


@pytest.mark.parametrize(
    ("responses", "body", "media_type", "expected"),
    [
        ({"404": {"description": "gone"}}, b"", "", []),
        ({"4XX": {"description": "gone"}}, b"", "", []),
        ({"404": of(text={"type": "string"})}, b"", "", ["content_type", "error_shape"]),
        ({"200": of(json=NUMBER)}, b"", "", ["status", "error_shape"]),
        ({"404": {"description": "gone"}}, b"<html>", "text/html", ["error_shape"]),
    ],
)
def test_an_error_without_a_body_is_a_breach_unless_it_is_declared_so(
    responses: dict[str, Any], body: bytes, media_type: str, expected: list[str]
) -> None:
    assert list(failures(responses, 404, body, media_type)) == expected


def test_formats_are_not_judged() -> None:
    dated = {"200": of(json={"type": "string", "format": "date"})}
    assert failures(dated, 200, b'"tomorrow"') == {}


def test_many_errors_are_a_short_message() -> None:
    body = json.dumps(["x" * 1000] * 10).encode()
    message = failures({"200": of(json={"items": NUMBER})}, 200, body)["schema"]
    assert message.count(";") == 2
    assert len(message) < 600
    assert message.startswith("/0: ")


def test_numbers_of_any_size_in_an_answer() -> None:
    assert failures({"200": of(json=NUMBER)}, 200, b"123456789012345678901234567890") == {}


def test_an_answer_may_hold_half_a_surrogate_pair() -> None:
    assert failures({"200": of(json={"type": "string"})}, 200, b'"\\ud83d"') == {}


def test_one_validator_for_each_declared_answer() -> None:
    document = {
        "openapi": "3.1.0",
        "info": {"title": "x", "version": "1"},
        "paths": {
            path: {"get": {"operationId": path[1:], "responses": {"200": of(json=schema)}}}
            for path, schema in (("/a", NUMBER), ("/b", {"type": "string"}))
        },
    }
    operations = names(read(json.dumps(document)))
    checks = Checks(Limits())
    for name, body, fits in (("a", b"1", True), ("b", b"1", False), ("b", b'"x"', True)):
        response = Response(200, (("content-type", "application/json"),), body)
        found = checks(operations[name], Exchange(REQUEST, response, 1.0))
        assert all(check.ok for check in found) is fits
