"""Finds the operations of packages, and refuses at the start what could not be served safely."""

import re
import sys
from collections.abc import Iterator, Sequence
from importlib import import_module
from pkgutil import iter_modules
from traceback import extract_tb
from types import ModuleType

from fastapi import APIRouter
from fastapi.routing import APIRoute, RouteContext, iter_route_contexts

from plugin.errors import CannotRun
from plugin.operations.declaration import access_of

BUILT_IN = "plugin.operations"

_PLACEHOLDER = re.compile(r"\{[^{}]*\}")
_LEGAL_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_LEGAL_SCOPE = re.compile(r"[A-Za-z0-9_.-]+(:[A-Za-z0-9_.-]+)*")


def discover(packages: Sequence[str], built_in: Sequence[str] | None = None) -> list[APIRouter]:
    """The `router` of each module of the built-in package and of `packages`, in a stable order.

    `built_in` names the modules of the built-in package that are wanted, all where it is None.

    Raises `CannotRun` for a package that is not there, and for a route that is no operation or
    whose name no model could call: nothing is served that was not declared.
    """
    if packages and "" not in sys.path:
        # a command on the path does not look where it is started; last, so that it hides nothing
        sys.path.append("")
    routers: list[APIRouter] = []
    seen = _Seen()
    for package in dict.fromkeys((BUILT_IN, *packages)):
        found = [(module, _router(module)) for module in _modules(package)]
        if package == BUILT_IN and built_in is not None:
            wanted = {f"{BUILT_IN}.{name}" for name in built_in}
            found = [(module, router) for module, router in found if module.__name__ in wanted]
        elif not any(router for _, router in found):
            raise CannotRun(
                f"PLUGIN_OPERATIONS names {package}, but no module of it has a `router`: make one "
                "with fastapi.APIRouter()."
            )
        for module, router in found:
            if router is not None and router not in routers:
                _check(router, module.__name__, seen)
                routers.append(router)
    return routers


def _router(module: ModuleType) -> APIRouter | None:
    router = getattr(module, "router", None)
    if isinstance(router, APIRouter):
        return router
    for name, value in vars(module).items():
        if isinstance(value, APIRouter) and value.routes:
            raise CannotRun(
                f"{module.__name__} has operations in `{name}`, which is not looked for: name it "
                "`router`."
            )
    return None


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
    except CannotRun:
        raise
    except Exception as error:  # whatever a module raises while it is imported
        raise CannotRun(
            f"{name} cannot be imported: {type(error).__name__}: {error}{_where(error, name)}"
        ) from error


def _where(error: Exception, name: str) -> str:
    """The last line of the package itself on the way to an error."""
    folder = name.replace(".", "/").partition("/")[0]
    frames = [
        frame for frame in extract_tb(error.__traceback__) if f"/{folder}/" in f"/{frame.filename}"
    ]
    return f" ({frames[-1].filename}, line {frames[-1].lineno})" if frames else ""


class _Seen:
    """The names and addresses that are taken, and where."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._addresses: dict[str, str] = {}

    def take(self, name: str, route: RouteContext, place: str) -> None:
        """Raises `CannotRun` where another operation has the name, or answers the same calls."""
        address = f"{route.methods} {_PLACEHOLDER.sub('{}', route.path or '')}"
        if name in self._names:
            raise CannotRun(f"{place} is named {name}, as is {self._names[name]}: rename one.")
        if address in self._addresses:
            other = self._addresses[address]
            raise CannotRun(f"{place} answers the same calls as {other}: change one path.")
        self._names[name] = self._addresses[address] = place


def _check(router: APIRouter, module: str, seen: _Seen) -> None:
    for route in iter_route_contexts(router.routes):
        place = f"{module}: {'/'.join(sorted(route.methods or ()))} {route.path}"
        seen.take(_check_route(route, place), route, place)


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
