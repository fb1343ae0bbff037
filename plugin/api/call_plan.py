"""What has to be called for a plain operation, worked out once instead of for each request."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from inspect import isasyncgenfunction, iscoroutinefunction, isfunction, isgeneratorfunction
from typing import Any

from fastapi import params
from fastapi.routing import APIRoute, RouteContext
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import Scope

from plugin.api.fastapi_private import (
    DefaultPlaceholder,
    Dependant,
    ModelField,
    embeds_body_fields,
)
from plugin.pools.threads import Threads

_OK = 200
_WITHOUT_CONTENT = frozenset({204, 205, 304})

Given = tuple[tuple[str, int], ...]
"""Which parameter gets the result of which step."""


@dataclass(frozen=True, slots=True)
class Step:
    """A dependency to call: what it wants of the request, and of the steps before it."""

    call: Callable[..., Any]
    threaded: bool
    request_as: tuple[str, ...]
    given: Given

    def run(
        self, results: list[Any], request: Request | None, scope: Scope, values: dict[str, Any]
    ) -> Awaitable[Any]:
        """Call it with `values`, the results of earlier steps, and the request.

        A plain function runs in a thread of the service, which `scope` leads to.
        """
        for name, slot in self.given:
            values[name] = results[slot]
        for name in self.request_as:
            values[name] = request
        if self.threaded:
            threads: Threads = scope["app"].state.services.pools.operations
            return threads.run(self.call, **values)
        called: Awaitable[Any] = self.call(**values)
        return called


class CallPlan:
    """The dependencies of an endpoint in the order of their calls, and the endpoint itself."""

    def __init__(self, dependant: Dependant) -> None:
        steps: list[Step] = []
        given = _plan(dependant, steps, {})
        self.steps = tuple(steps)
        self.endpoint = _step(dependant, given)
        self.wants_request = any(step.request_as for step in [*steps, self.endpoint])


def _plan(dependant: Dependant, steps: list[Step], known: dict[Any, int]) -> Given:
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


def _step(dependant: Dependant, given: Given) -> Step:
    names = (dependant.request_param_name, dependant.http_connection_param_name)
    call = dependant.call
    if call is None:
        raise TypeError("a dependency without anything to call")
    return Step(call, not iscoroutinefunction(call), tuple(name for name in names if name), given)


def is_plain(route: RouteContext) -> bool:
    """Whether an operation needs nothing of FastAPI but its fields: see `direct_route`."""
    response_class = route.response_class
    return (
        isinstance(route.original_route, APIRoute)
        and isinstance(response_class, DefaultPlaceholder)
        and response_class.value is JSONResponse
        and not (route.is_sse_stream or route.is_json_stream)
        and (route.status_code or _OK) >= _OK
        and route.status_code not in _WITHOUT_CONTENT
        and route.max_body_size is None
        and (route.body_field is None or reads_json(route))
        and not embeds_body_fields(route)
        and _calls_plainly(route.dependant)
        and all(_looks_only_at_the_request(one) for one in route.dependant.dependencies)
    )


def reads_json(route: RouteContext) -> bool:
    """Whether a route has a body that is no form."""
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
