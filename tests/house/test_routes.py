"""Every route but a written-down few passes the gate with a declared action and scope."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import RouteContext, iter_route_contexts
from fastapi.testclient import TestClient

from plugin.app import create_app
from plugin.operations import access_of
from plugin.settings import Settings

OPEN = {
    *("/healthz", "/readyz"),
    *("/.well-known/ai-plugin.json", "/.well-known/logo.png"),
    *("/openapi.json", "/v1/openapi.json", "/tools"),
    *("/docs", "/docs/docs.css", "/docs/docs.js"),
}
"""What anyone may reach. To add to it is a decision about security."""


@pytest.fixture
def service(tmp_path: Path) -> Any:
    return create_app(Settings(_env_file=None, data_dir=tmp_path, log_level="error"))


@pytest.fixture
def client(service: Any) -> Iterator[TestClient]:
    with TestClient(service, base_url="http://127.0.0.1:8000") as opened:
        yield opened


def inner(layer: Any) -> FastAPI:
    """The application inside its layers."""
    while not isinstance(layer, FastAPI):
        layer = layer._app
    return layer


def routes(service: Any) -> list[RouteContext]:
    return list(iter_route_contexts(inner(service).routes))


def requests(route: RouteContext) -> Iterator[tuple[str, str]]:
    assert route.path is not None
    for method in sorted(route.methods or ()):
        yield method, re.sub(r"\{\w+(:\w+)?\}", "1", route.path)


def test_the_walk_finds_the_routes(service: Any) -> None:
    paths = {route.path for route in routes(service)}
    assert paths >= {*OPEN, "/todos", "/todos/{todo_id}/complete", "/todos/{todo_id}", "/weather"}
    assert paths >= {"/v1/chat/completions", "/v1/models/{model:model}", "/v1/engines"}
    assert paths >= {"/documents", "/documents/query", "/documents/{document_id}"}


def test_every_route_is_open_on_purpose_or_declares_action_and_scope(service: Any) -> None:
    for route in routes(service):
        access = access_of(route.endpoint) if route.endpoint is not None else None
        if route.path in OPEN:
            assert access is None, f"{route.path} is open and an operation at once"
            continue
        assert access is not None, f"{route.path} declares nothing"
        assert access.action == route.operation_id
        assert access.scope


def test_what_is_not_open_answers_nobody_without_a_key(service: Any, client: TestClient) -> None:
    guarded = [route for route in routes(service) if route.path not in OPEN]
    assert guarded
    for route in guarded:
        for method, path in requests(route):
            reply = client.request(method, path)
            assert reply.status_code == 401, f"{method} {path}"
            assert reply.headers["www-authenticate"].startswith("Bearer")


def test_what_is_open_answers_everybody(service: Any, client: TestClient) -> None:
    for route in routes(service):
        if route.path in OPEN:
            for method, path in requests(route):
                assert client.request(method, path).status_code in {200, 204}, f"{method} {path}"
