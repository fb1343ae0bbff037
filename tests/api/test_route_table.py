import string
from typing import Any

import pytest
from fastapi import APIRouter, FastAPI
from fastapi.routing import iter_route_contexts
from hypothesis import given
from hypothesis import strategies as st
from starlette.routing import Match

from plugin.api.route_table import Entry, RouteTable

Declared = list[tuple[str, str]]


def _app(declared: Declared, prefix: str = "") -> FastAPI:
    router = APIRouter(prefix=prefix)
    for method, path in declared:

        async def endpoint() -> None: ...

        router.add_api_route(path, endpoint, methods=[method], response_model=None)
    app = FastAPI(openapi_url=None)
    app.include_router(router)
    return app


async def _nothing(_scope: Any, _receive: Any, _send: Any) -> None: ...


def _table(declared: Declared, prefix: str = "") -> RouteTable:
    routes = iter_route_contexts(_app(declared, prefix).routes)
    return RouteTable([Entry(route, _nothing, None) for route in routes])


def _found(table: RouteTable, method: str, path: str) -> tuple[str, dict[str, Any]] | None:
    found = table.find(method, path)
    return None if found is None else (found[0].template, dict(found[1]))


def _scan(declared: Declared, method: str, path: str) -> tuple[str, dict[str, Any]] | None:
    """What FastAPI's own linear scan finds."""
    scope = {"type": "http", "method": method, "path": path, "headers": []}
    for route in _app(declared).router.routes:
        for context in iter_route_contexts([route]):
            effective: Any = context._route_context or context.route
            match, child = effective.matches(scope)
            if match == Match.FULL:
                return context.path or "", child["path_params"]
    return None


def test_static_paths_and_parameters() -> None:
    table = _table([("GET", "/notes"), ("POST", "/notes"), ("GET", "/notes/{note_id}/tags")])
    assert _found(table, "POST", "/notes") == ("/notes", {})
    assert _found(table, "GET", "/notes/7/tags") == ("/notes/{note_id}/tags", {"note_id": "7"})
    for path in ("/notes/", "/notes/7", "/notes//tags", "/notes/7/8/tags", "notes", "", "/NOTES"):
        assert _found(table, "GET", path) is None


def test_the_prefix_of_a_router_counts() -> None:
    table = _table([("GET", "/{note_id}")], prefix="/v2/notes")
    assert _found(table, "GET", "/v2/notes/1") == ("/v2/notes/{note_id}", {"note_id": "1"})


def test_what_was_declared_first_wins() -> None:
    declared = [("GET", "/notes/{note_id}"), ("GET", "/notes/mine"), ("POST", "/notes/mine")]
    table = _table(declared)
    assert _found(table, "GET", "/notes/mine") == ("/notes/{note_id}", {"note_id": "mine"})
    assert _found(table, "POST", "/notes/mine") == ("/notes/mine", {})
    turned = _table(declared[::-1])
    assert _found(turned, "GET", "/notes/mine") == ("/notes/mine", {})


def test_get_answers_head() -> None:
    table = _table([("GET", "/notes"), ("POST", "/other")])
    assert _found(table, "HEAD", "/notes") == ("/notes", {})
    assert _found(table, "HEAD", "/other") is None
    assert table.allowed("/notes") == {"GET", "HEAD"}


def test_allowed_methods_come_from_the_literal_path_or_from_every_route_that_fits() -> None:
    table = _table([("GET", "/n/{x}"), ("DELETE", "/n/{y}"), ("PUT", "/n/a"), ("POST", "/m")])
    assert table.allowed("/n/a") == {"PUT"}
    assert table.allowed("/n/b") == {"GET", "HEAD", "DELETE"}
    assert table.allowed("/nothing") == frozenset()


@pytest.mark.parametrize(
    ("path", "params"),
    [
        ("/n/5", {"x": 5}),
        ("/n/" + "9" * 5_000, None),
        ("/n/-1", None),
        ("/n/x", None),
    ],
)
def test_convertors_decide(path: str, params: dict[str, Any] | None) -> None:
    found = _table([("GET", "/n/{x:int}")]).find("GET", path)
    assert (None if found is None else found[1]) == params


def test_a_path_parameter_takes_slashes() -> None:
    table = _table([("GET", "/files/{name:path}/raw"), ("GET", "/files/{name:path}")])
    assert _found(table, "GET", "/files/a/b/raw") == ("/files/{name:path}/raw", {"name": "a/b"})
    assert _found(table, "GET", "/files/a/b") == ("/files/{name:path}", {"name": "a/b"})


def test_parameters_inside_a_segment() -> None:
    table = _table([("GET", "/r/{name}.json"), ("GET", "/r/{left}-{right}")])
    assert _found(table, "GET", "/r/a.json") == ("/r/{name}.json", {"name": "a"})
    assert _found(table, "GET", "/r/a-b") == ("/r/{left}-{right}", {"left": "a", "right": "b"})


_SEGMENT = st.sampled_from(
    ["a", "b", "a.b", "", "{x}", "{y}", "{x:int}", "{x:path}", "{x}.b", "a-{y}", "{x:float}"]
)
_PATH = st.lists(_SEGMENT, min_size=1, max_size=4).map(lambda parts: "/" + "/".join(parts))
_UNIQUE = _PATH.filter(lambda path: path.count("{x") <= 1 and path.count("{y") <= 1)
_METHOD = st.sampled_from(["GET", "POST", "DELETE"])
_ASKED = st.lists(
    st.sampled_from(["a", "b", "a.b", "", "1", "1.5", "a-1", "é", "{x}", "%", "a\nb"]), max_size=5
).map(lambda parts: "/" + "/".join(parts))


@given(st.lists(st.tuples(_METHOD, _UNIQUE), min_size=1, max_size=6), _METHOD, _ASKED)
def test_it_finds_what_the_scan_finds(declared: Declared, method: str, path: str) -> None:
    assert _found(_table(declared), method, path) == _scan(declared, method, path)


@given(st.text(string.printable, max_size=40))
def test_no_path_breaks_it(path: str) -> None:
    table = _table([("GET", "/a/{x:int}"), ("GET", "/{y:uuid}"), ("GET", "/p/{z:path}")])
    table.find("GET", path)
    table.allowed(path)
