"""Calls a plain operation without FastAPI's machinery: the same effect at a fraction of the cost.

FastAPI opens exit stacks for each request, walks the tree of dependencies, and takes a body from
bytes to a dictionary to a model. A route that needs none of it (parameters, at most one JSON body,
dependencies that only look at the request) gets a plan made once: the body is validated from its
bytes, and the answer is written to bytes. The same fields validate, the same errors are raised. Any
other route, and any while a dependency is overridden, is left to FastAPI. A property test holds the
two against each other.
"""

from collections.abc import Awaitable
from typing import Any

from fastapi.encoders import jsonable_encoder
from fastapi.exceptions import RequestValidationError, ResponseValidationError
from fastapi.routing import RouteContext
from starlette.datastructures import Headers, QueryParams
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from plugin.api import json_body
from plugin.api.call_plan import CallPlan, is_plain, reads_json
from plugin.api.fastapi_private import (
    AsyncExitStackMiddleware,
    Dependant,
    ModelField,
    request_params_to_args,
)
from plugin.api.query_names import QueryNames
from plugin.operations import access_of
from plugin.pools.opening import Pools

_OK = 200
_JSON = b"application/json"
LARGE = 65_536
"""Bytes of a body above which it is read in turn, and in a thread: a megabyte takes 10 ms."""

_NO_QUERY = QueryParams("")


def operation_app(route: RouteContext) -> ASGIApp:
    """The ASGI application of an operation: the direct way if it is plain, FastAPI's if not."""
    machinery = _Strict(machinery_app(route), route)
    return DirectRoute(route, machinery) if is_plain(route) else machinery


def machinery_app(route: RouteContext) -> ASGIApp:
    """FastAPI's own application of a route, with the exit stack that it expects around it."""
    return AsyncExitStackMiddleware(route.app)


class _Strict:
    """FastAPI's way, made to refuse what it lets pass: unknown query names, other media types."""

    def __init__(self, app: ASGIApp, route: RouteContext) -> None:
        self._app = app
        self._query_names = QueryNames(route)
        self._reads_json = reads_json(route)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        errors = self._query_names.unknown(scope["query_string"])
        if errors:
            raise RequestValidationError(errors)
        if self._reads_json and json_body.is_announced(scope):
            json_body.require_json(scope)
        try:
            await self._app(scope, receive, send)
        except RequestValidationError as error:
            if isinstance(error.body, str) and error.errors()[0]["type"] == "json_invalid":
                raise json_body.not_json(error.body.encode(errors="replace"), "") from None
            raise


class DirectRoute:
    """A plain operation, called by a plan."""

    def __init__(self, route: RouteContext, machinery: ASGIApp) -> None:
        dependant: Dependant = route.dependant
        self._plan = CallPlan(dependant)
        self._path, self._query = dependant.path_params, dependant.query_params
        self._headers, self._cookies = dependant.header_params, dependant.cookie_params
        self._body: ModelField | None = route.body_field
        self._reads = _only_reads(route)
        self._query_names = QueryNames(route)
        self._answer = _Answer(route)
        self._machinery = machinery
        self._application = route.dependency_overrides_provider

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Handle a request."""
        if self._application.dependency_overrides:
            return self._machinery(scope, receive, send)
        return self._call(scope, receive, send)

    async def _call(self, scope: Scope, receive: Receive, send: Send) -> None:
        values: dict[str, Any] = {}
        body_errors: list[Any] = []
        if self._body is not None:
            content, read = await self._read(self._body, scope, receive)
            values[self._body.name], body_errors = read
            if self._reads:
                scope["plugin.exchange"].receive = receive
            receive = json_body.Again(content, receive)
        elif self._reads:
            scope["plugin.exchange"].receive = receive
        request = Request(scope, receive) if self._plan.wants_request else None
        results: list[Any] = []
        for step in self._plan.steps:
            results.append(await step.run(results, request, scope, {}))
        errors = self._validate_parameters(scope, values)
        if errors or body_errors:
            raise RequestValidationError(errors + body_errors)
        result = await self._plan.endpoint.run(results, request, scope, values)
        await self._answer.send(result, scope, receive, send)

    async def _read(
        self, field: ModelField, scope: Scope, receive: Receive
    ) -> tuple[bytes, tuple[Any, list[Any]]]:
        """Return the body, and what it is or its errors: a large one in turn, and in a thread."""
        content = b""
        if scope["plugin.exchange"].announced <= LARGE:
            content = await json_body.read(receive)
            if len(content) <= LARGE:
                return content, json_body.validate(field, content, scope)
        pools: Pools = scope["app"].state.services.pools
        async with pools.bodies.turn():
            content = content or await json_body.read(receive)
            return content, await pools.files.run(json_body.validate, field, content, scope)

    def _validate_parameters(self, scope: Scope, values: dict[str, Any]) -> list[Any]:
        query = scope["query_string"]
        errors: list[Any] = self._query_names.unknown(query)
        if self._path:
            errors += _validate(self._path, scope["path_params"], values)
        if self._query:
            unknown = {error["loc"] for error in errors}
            found = _validate(self._query, QueryParams(query) if query else _NO_QUERY, values)
            errors += [error for error in found if error["loc"] not in unknown]
        if self._headers:
            errors += _validate(self._headers, Headers(scope=scope), values)
        if self._cookies:
            errors += _validate(self._cookies, Request(scope).cookies, values)
        return errors


class _Answer:
    """How the result of an endpoint is written."""

    def __init__(self, route: RouteContext) -> None:
        self._field: ModelField | None = route.response_field
        self._status: int = route.status_code or _OK
        self._options = {
            "include": route.response_model_include,
            "exclude": route.response_model_exclude,
            "by_alias": route.response_model_by_alias,
            "exclude_unset": route.response_model_exclude_unset,
            "exclude_defaults": route.response_model_exclude_defaults,
            "exclude_none": route.response_model_exclude_none,
        }

    async def send(self, result: Any, scope: Scope, receive: Receive, send: Send) -> None:
        if isinstance(result, Response):
            await result(scope, receive, send)
        elif self._field is None:
            response = JSONResponse(jsonable_encoder(result), self._status)
            await response(scope, receive, send)
        else:
            content = self._write(self._field, result)
            headers = [(b"content-length", b"%d" % len(content)), (b"content-type", _JSON)]
            start = {"type": "http.response.start", "status": self._status, "headers": headers}
            await send(start)
            await send({"type": "http.response.body", "body": content})

    def _write(self, field: ModelField, result: Any) -> bytes:
        value, errors = field.validate(result, {}, loc=("response",))
        if errors:
            raise ResponseValidationError(errors=errors, body=result)
        return field.serialize_json(value, **self._options)


def _only_reads(route: RouteContext) -> bool:
    access = access_of(route.endpoint) if route.endpoint is not None else None
    return access is not None and (access.reads or route.methods == {"GET"})


def _validate(fields: list[ModelField], received: Any, values: dict[str, Any]) -> list[Any]:
    found, errors = request_params_to_args(fields, received)
    values |= found
    return errors
