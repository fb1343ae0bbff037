"""What the direct route uses of FastAPI: the first test to fail when it changes."""

from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Body, Depends, FastAPI, Query, Request
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute, RouteContext, iter_route_contexts
from pydantic import BaseModel, TypeAdapter, ValidationError

from plugin.api.fastapi_private import (
    AsyncExitStackMiddleware,
    DefaultPlaceholder,
    Dependant,
    ModelField,
    adapter_of,
    embeds_body_fields,
    get_missing_field_error,
    request_params_to_args,
)

router = APIRouter()


class Item(BaseModel):
    """A body."""

    size: int


async def before(request: Request) -> str:
    return request.method


@router.post("/items/{name}")
async def add(
    name: str,
    item: Item,
    method: Annotated[str, Depends(before)],
    most: Annotated[int, Query(ge=1)] = 1,
) -> Item:
    del name, method, most
    return item


@router.post("/two")
async def two(one: Annotated[int, Body()], other: Annotated[int, Body()]) -> Any:
    return one + other


@pytest.fixture(scope="module")
def routes() -> dict[str, RouteContext]:
    app = FastAPI()
    app.include_router(router)
    return {str(route.path): route for route in iter_route_contexts(app.routes)}


def test_a_route_has_what_a_plan_is_made_of(routes: dict[str, RouteContext]) -> None:
    route = routes["/items/{name}"]
    assert isinstance(route.original_route, APIRoute)
    assert isinstance(route.response_class, DefaultPlaceholder)
    assert route.response_class.value is JSONResponse
    for name in (
        *("endpoint", "methods", "status_code", "max_body_size", "is_sse_stream", "is_json_stream"),
        *("dependency_overrides_provider", "response_field", "response_model_include", "app"),
        *("response_model_exclude", "response_model_by_alias", "response_model_exclude_unset"),
        *("response_model_exclude_defaults", "response_model_exclude_none"),
    ):
        assert hasattr(route, name), name
    assert (embeds_body_fields(route), embeds_body_fields(routes["/two"])) == (False, True)
    assert callable(AsyncExitStackMiddleware(route.app))


def test_a_dependant_tells_what_is_called_and_with_what(routes: dict[str, RouteContext]) -> None:
    dependant = routes["/items/{name}"].dependant
    assert isinstance(dependant, Dependant)
    (inner,) = dependant.dependencies
    assert (inner.call, inner.name, inner.use_cache) == (before, "method", True)
    assert inner.request_param_name == "request"
    assert [field.name for field in dependant.path_params] == ["name"]
    assert [field.name for field in dependant.query_params] == ["most"]
    for name in (
        *("header_params", "cookie_params", "body_params", "http_connection_param_name", "scope"),
        *("concurrency", "own_oauth_scopes", "parent_oauth_scopes", "response_param_name"),
        *("background_tasks_param_name", "security_scopes_param_name", "websocket_param_name"),
    ):
        assert hasattr(dependant, name), name


def test_a_field_validates_and_writes(routes: dict[str, RouteContext]) -> None:
    route = routes["/items/{name}"]
    field, answer = route.body_field, route.response_field
    assert isinstance(field, ModelField)
    assert isinstance(answer, ModelField)
    adapter = adapter_of(field)
    assert isinstance(adapter, TypeAdapter)
    assert adapter.validate_json(b'{"size": 1}') == Item(size=1)
    with pytest.raises(ValidationError):
        adapter.validate_json(b"{}")
    value, errors = answer.validate(Item(size=2), {}, loc=("response",))
    assert errors == []
    assert answer.serialize_json(value) == b'{"size":2}'
    assert field.field_info.is_required()
    assert get_missing_field_error(("body",))["type"] == "missing"


def test_parameters_are_read(routes: dict[str, RouteContext]) -> None:
    fields = routes["/items/{name}"].dependant.query_params
    assert request_params_to_args(fields, {"most": "3"}) == ({"most": 3}, [])
    _, errors = request_params_to_args(fields, {"most": "0"})
    assert errors[0]["loc"] == ("query", "most")
