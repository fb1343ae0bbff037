"""Finds the operations of packages, and refuses at the start what could not be served safely."""

import re
import sys
from collections.abc import Iterator, Sequence
from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType

from fastapi import APIRouter
from fastapi.routing import APIRoute, RouteContext, iter_route_contexts

from plugin.errors import CannotRun
from plugin.operations.declaration import access_of

BUILT_IN = "plugin.operations"

_LEGAL_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_LEGAL_SCOPE = re.compile(r"[A-Za-z0-9_.-]+(:[A-Za-z0-9_.-]+)*")


def discover(packages: Sequence[str]) -> list[APIRouter]:
    """The `router` of each module of the built-in package and of `packages`, in a stable order.

    Raises `CannotRun` for a package that is not there, and for a route that is no operation or
    whose name no model could call: nothing is served that was not declared.
    """
    if packages and "" not in sys.path:
        # a command on the path does not look where it is started; last, so that it hides nothing
        sys.path.append("")
    routers: list[APIRouter] = []
    seen: dict[str, str] = {}
    for package in dict.fromkeys((BUILT_IN, *packages)):
        for module in _modules(package):
            router = getattr(module, "router", None)
            if isinstance(router, APIRouter) and router not in routers:
                _check(router, module.__name__, seen)
                routers.append(router)
    return routers


def _modules(package: str) -> Iterator[ModuleType]:
    root = _import(package)
    yield root
    for found in sorted(module.name for module in iter_modules(getattr(root, "__path__", ()))):
        yield _import(f"{package}.{found}")


def _import(name: str) -> ModuleType:
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if error.name and (name == error.name or name.startswith(f"{error.name}.")):
            raise CannotRun(
                f"PLUGIN_OPERATIONS names {name}, but there is no such package: install it, or "
                "start from the directory that holds it."
            ) from error
        raise CannotRun(f"{name} needs the module {error.name}, which is not installed.") from error
    except (ImportError, SyntaxError) as error:
        raise CannotRun(f"{name} cannot be imported: {error}") from error


def _check(router: APIRouter, module: str, seen: dict[str, str]) -> None:
    for route in iter_route_contexts(router.routes):
        place = f"{module}: {'/'.join(sorted(route.methods or ()))} {route.path}"
        name = _check_route(route, place)
        if name in seen:
            raise CannotRun(f"{place} is named {name}, as is {seen[name]}: rename one of them.")
        seen[name] = place


def _check_route(route: RouteContext, place: str) -> str:
    access = access_of(route.endpoint) if route.endpoint is not None else None
    if not isinstance(route.original_route, APIRoute) or access is None:
        raise CannotRun(
            f"{place} is not declared as an operation: put @operation(scope=...) below its route."
        )
    if not route.operation_id:
        raise CannotRun(f'{place} has no operation id: add operation_id="{access.action}".')
    if not _LEGAL_NAME.fullmatch(route.operation_id):
        raise CannotRun(
            f"{place} has the operation id {route.operation_id!r}, which models cannot call: use "
            "1 to 64 of A-Z, a-z, 0-9, _ and -."
        )
    if route.operation_id != access.action:
        raise CannotRun(
            f"{place} has the operation id {route.operation_id}, but its function is named "
            f"{access.action}: give both the same name."
        )
    if len(route.methods or ()) != 1:
        raise CannotRun(f"{place} answers to several methods: an operation has one.")
    if not _LEGAL_SCOPE.fullmatch(access.scope):
        raise CannotRun(f"{place} asks for the scope {access.scope!r}: write it as family:verb.")
    return access.action
