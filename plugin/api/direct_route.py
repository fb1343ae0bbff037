"""Calls a plain operation without FastAPI's machinery: the same effect at a fraction of the cost.

FastAPI opens exit stacks for each request, walks the tree of dependencies, and takes a body from
bytes to a dictionary to a model. A route that needs none of it (parameters, at most one JSON body,
dependencies that only look at the request) gets a plan made once: the body is validated from its
bytes, and the answer is written to bytes. The same fields validate, the same errors are raised. Any
other route, and any while a dependency is overridden, is left to FastAPI. A property test holds the
two against each other.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from inspect import isasyncgenfunction, iscoroutinefunction, isfunction, isgeneratorfunction
from typing import Any

from fastapi import params
from fastapi._compat import ModelField, get_missing_field_error
from fastapi.datastructures import DefaultPlaceholder
from fastapi.dependencies.models import Dependant
from fastapi.dependencies.utils import request_params_to_args
from fastapi.encoders import jsonable_encoder
from fastapi.exceptions import RequestValidationError, ResponseValidationError
from fastapi.middleware.asyncexitstack import AsyncExitStackMiddleware
from fastapi.routing import APIRoute, RouteContext
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, QueryParams
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from plugin.api.query_names import QueryNames
from plugin.errors import InvalidArguments, UnsupportedMediaType

_OK = 200
_WITHOUT_CONTENT = frozenset({204, 205, 304})
_JSON = b"application/json"
_EXCERPT = 1_000
_MOST_ERRORS = 1_000
_NO_QUERY = QueryParams("")

Given = tuple[tuple[str, int], ...]
"""Which parameter gets the result of which step."""


def operation_app(route: RouteContext) -> ASGIApp:
    """The ASGI application of an operation: the direct way if it is plain, FastAPI's if not."""
    machinery = _Strict(machinery_app(route), route)
    return DirectRoute(route, machinery) if _is_plain(route) else machinery


def machinery_app(route: RouteContext) -> ASGIApp:
    """FastAPI's own application of a route, with the exit stack that it expects around it."""
    return AsyncExitStackMiddleware(route.app)


class _Strict:
    """FastAPI's way, but that it lets unknown query names and other media types pass."""

    def __init__(self, app: ASGIApp, route: RouteContext) -> None:
        self._app = app
        self._query_names = QueryNames(route)
        self._reads_json = _reads_json(route)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        errors = self._query_names.unknown(scope["query_string"])
        if errors:
            raise RequestValidationError(errors)
        if self._reads_json and _announces_body(scope):
            _require_json(scope)
        try:
            await self._app(scope, receive, send)
        except RequestValidationError as error:
            if isinstance(error.body, str) and error.errors()[0]["type"] == "json_invalid":
                raise _not_json(error.body.encode(errors="replace"), "") from None
            raise


@dataclass(frozen=True, slots=True)
class _Step:
    """A dependency to call: what it wants of the request, and of the steps before it."""

    call: Callable[..., Any]
    threaded: bool
    request_as: tuple[str, ...]
    given: Given


class DirectRoute:
    """A plain operation, called by a plan."""

    def __init__(self, route: RouteContext, machinery: ASGIApp) -> None:
        dependant: Dependant = route.dependant
        steps: list[_Step] = []
        given = _plan(dependant, steps, {})
        self._steps = tuple(steps)
        self._endpoint = _step(dependant, given)
        self._wants_request = any(step.request_as for step in [*steps, self._endpoint])
        self._path, self._query = dependant.path_params, dependant.query_params
        self._headers, self._cookies = dependant.header_params, dependant.cookie_params
        self._body: ModelField | None = route.body_field
        self._query_names = QueryNames(route)
        self._answer = _Answer(route)
        self._machinery = machinery
        self._overridden: Mapping[Any, Any] = getattr(
            route.dependency_overrides_provider, "dependency_overrides", {}
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if self._overridden:
            await self._machinery(scope, receive, send)
        else:
            await self._call(scope, receive, send)

    async def _call(self, scope: Scope, receive: Receive, send: Send) -> None:
        values: dict[str, Any] = {}
        body_errors: list[Any] = []
        if self._body is not None:
            content = await _read(receive)
            values[self._body.name], body_errors = _validate_body(self._body, content, scope)
            if self._wants_request:
                receive = _Again(content, receive)
        request = Request(scope, receive) if self._wants_request else None
        results: list[Any] = []
        for step in self._steps:
            results.append(await _run(step, results, request, {}))
        errors = self._validate_parameters(scope, values)
        if errors or body_errors:
            raise RequestValidationError(errors + body_errors)
        result = await _run(self._endpoint, results, request, values)
        await self._answer.send(result, scope, receive, send)

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
            await self._send_json(self._write(self._field, result), send)

    def _write(self, field: ModelField, result: Any) -> bytes:
        value, errors = field.validate(result, {}, loc=("response",))
        if errors:
            raise ResponseValidationError(errors=errors, body=result)
        return field.serialize_json(value, **self._options)

    async def _send_json(self, content: bytes, send: Send) -> None:
        headers = [(b"content-length", b"%d" % len(content)), (b"content-type", _JSON)]
        start = {"type": "http.response.start", "status": self._status, "headers": headers}
        await send(start)
        await send({"type": "http.response.body", "body": content})


class _Again:
    """Gives a body that was read to whoever reads the request once more."""

    def __init__(self, content: bytes, receive: Receive) -> None:
        self._content: bytes | None = content
        self._receive = receive

    async def __call__(self) -> Message:
        if self._content is None:
            return await self._receive()
        content, self._content = self._content, None
        return {"type": "http.request", "body": content, "more_body": False}


async def _run(
    step: _Step, results: list[Any], request: Request | None, values: dict[str, Any]
) -> Any:
    for name, slot in step.given:
        values[name] = results[slot]
    for name in step.request_as:
        values[name] = request
    if step.threaded:
        return await run_in_threadpool(step.call, **values)
    return await step.call(**values)


async def _read(receive: Receive) -> bytes:
    message = await receive()
    if message["type"] == "http.request" and not message.get("more_body", False):
        body: bytes = message.get("body", b"")
        return body
    pieces: list[bytes] = []
    while message["type"] == "http.request":
        pieces.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(pieces)
        message = await receive()
    raise ClientDisconnect


def _validate_body(field: ModelField, content: bytes, scope: Scope) -> tuple[Any, list[Any]]:
    if not content:
        if field.field_info.is_required():
            return None, [get_missing_field_error(("body",))]
        return field.validate(field.get_default(), {}, loc=("body",))
    _require_json(scope)
    try:
        return field._type_adapter.validate_json(content), []  # noqa: SLF001 - from bytes, without a dictionary between
    except ValidationError as error:
        if error.error_count() > _MOST_ERRORS:
            # Half a million of them would hold the event loop for seconds.
            raise InvalidArguments(
                f"The body breaks its schema in {error.error_count()} places; see /openapi.json, "
                "and try with a smaller value first."
            ) from None
        errors = error.errors(include_url=False)
        if errors[0]["type"] == "json_invalid":
            raise _not_json(content, errors[0]["ctx"]["error"]) from None
        return None, [{**fault, "loc": ("body", *fault["loc"])} for fault in errors]


def _not_json(content: bytes, reason: str) -> RequestValidationError:
    try:
        # Python says where and why more plainly; it also accepts a little more, such as UTF-16.
        json.loads(content)
    except json.JSONDecodeError as error:
        reason = str(error)
    except (ValueError, RecursionError):
        pass
    start = content[:_EXCERPT].decode(errors="replace")
    fault = {"type": "json_invalid", "loc": ("body",), "input": start, "ctx": {"error": reason}}
    return RequestValidationError([fault], body=content)


def _validate(fields: list[ModelField], received: Any, values: dict[str, Any]) -> list[Any]:
    found, errors = request_params_to_args(fields, received)
    values |= found
    return errors


def _announces_body(scope: Scope) -> bool:
    return any(
        (name == b"content-length" and value != b"0") or name == b"transfer-encoding"
        for name, value in scope["headers"]
    )


def _require_json(scope: Scope) -> None:
    came = next((value for name, value in scope["headers"] if name == b"content-type"), b"")
    if came == _JSON:
        return
    media_type = came.partition(b";")[0].strip().lower()
    main, _, sub = media_type.partition(b"/")
    if main != b"application" or not (sub == b"json" or sub.endswith(b"+json")):
        named = media_type.decode("latin-1")[:80] or "no media type at all"
        raise UnsupportedMediaType(
            f"The body came as {named}; send JSON, with the header content-type: application/json."
        )


def _plan(dependant: Dependant, steps: list[_Step], known: dict[Any, int]) -> Given:
    given: list[tuple[str, int]] = []
    for dependency in dependant.dependencies:
        needs = _plan(dependency, steps, known)
        slot = known.get(dependency.call) if dependency.use_cache else None
        if slot is None:
            slot = len(steps)
            steps.append(_step(dependency, needs))
            known.setdefault(dependency.call, slot)
        if dependency.name is not None:
            given.append((dependency.name, slot))
    return tuple(given)


def _step(dependant: Dependant, given: Given) -> _Step:
    names = (dependant.request_param_name, dependant.http_connection_param_name)
    call = dependant.call
    if call is None:
        raise TypeError("a dependency without anything to call")
    return _Step(call, not iscoroutinefunction(call), tuple(name for name in names if name), given)


def _is_plain(route: RouteContext) -> bool:
    response_class = route.response_class
    return (
        isinstance(route.original_route, APIRoute)
        and isinstance(response_class, DefaultPlaceholder)
        and response_class.value is JSONResponse
        and not (route.is_sse_stream or route.is_json_stream)
        and (route.status_code or _OK) >= _OK
        and route.status_code not in _WITHOUT_CONTENT
        and route.max_body_size is None
        and (route.body_field is None or _reads_json(route))
        and not route._embed_body_fields  # noqa: SLF001 - FastAPI has no public name for it
        and _calls_plainly(route.dependant)
        and all(_looks_only_at_the_request(one) for one in route.dependant.dependencies)
    )


def _reads_json(route: RouteContext) -> bool:
    field: ModelField | None = route.body_field
    return field is not None and not isinstance(field.field_info, params.Form)


def _calls_plainly(dependant: Dependant) -> bool:
    call = dependant.call
    return (
        isfunction(call)
        and not hasattr(call, "__wrapped__")
        and not (isgeneratorfunction(call) or isasyncgenfunction(call))
        and dependant.concurrency is None
        and dependant.scope in {None, "function"}
        and not (dependant.own_oauth_scopes or dependant.parent_oauth_scopes)
        and not (
            dependant.response_param_name
            or dependant.background_tasks_param_name
            or dependant.security_scopes_param_name
            or dependant.websocket_param_name
        )
    )


def _looks_only_at_the_request(dependant: Dependant) -> bool:
    asks = (
        dependant.path_params
        or dependant.query_params
        or dependant.header_params
        or dependant.cookie_params
        or dependant.body_params
    )
    return (
        not asks
        and dependant.scope is None
        and _calls_plainly(dependant)
        and all(_looks_only_at_the_request(one) for one in dependant.dependencies)
    )
