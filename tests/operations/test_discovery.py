import sys
from pathlib import Path
from textwrap import dedent

import pytest
from fastapi import APIRouter
from fastapi.routing import iter_route_contexts

from plugin.errors import CannotRun
from plugin.operations import BUILT_IN, access_of, discover

HEADER = """
from fastapi import APIRouter
from plugin.operations import operation

router = APIRouter()
"""

GOOD = """
@router.get("/echo", operation_id="echo")
@operation(scope="echo:read", idempotent=True)
async def echo() -> str:
    return "echo"
"""


class Package:
    """A package of operations in a temporary directory that Python can import from."""

    def __init__(self, root: Path, name: str) -> None:
        self.name = name
        self._folder = root / name
        self._folder.mkdir()
        (self._folder / "__init__.py").write_text("")

    def module(self, name: str, text: str, header: str = HEADER) -> None:
        (self._folder / f"{name}.py").write_text(header + dedent(text))


@pytest.fixture
def package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Package:
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    # each test its own name: Python remembers what it has imported
    name = f"operations_{abs(hash(request.node.nodeid))}"
    return Package(tmp_path, name)


def names(routers: list[APIRouter]) -> list[str]:
    return [
        route.operation_id for router in routers for route in iter_route_contexts(router.routes)
    ]


def test_the_built_in_operations_are_found_in_a_stable_order() -> None:
    assert names(discover([])) == [
        *("upsert_documents", "query_documents", "get_document", "delete_document"),
        *("list_todos", "add_todo", "complete_todo", "delete_todo", "get_current_weather"),
    ]


def test_a_users_package_is_found_beside_them_and_modules_without_router_are_skipped(
    package: Package,
) -> None:
    package.module("echoes", GOOD)
    package.module("tables", "router = 3", header="")
    assert names(discover([package.name]))[-1] == "echo"
    assert names(discover([package.name, package.name, BUILT_IN])).count("echo") == 1


def test_what_was_declared_can_be_read_from_the_endpoint(package: Package) -> None:
    package.module("echoes", GOOD)
    (route,) = iter_route_contexts(discover([package.name])[-1].routes)
    assert route.endpoint is not None
    access = access_of(route.endpoint)
    assert access is not None
    assert (access.action, access.scope, access.consequential) == ("echo", "echo:read", False)
    assert access.idempotent
    assert access_of(names) is None


@pytest.mark.parametrize("name", ["no_such_package_here", "no_such_package_here.operations"])
def test_a_missing_package_is_said_to_be_missing(name: str) -> None:
    with pytest.raises(CannotRun, match=f"names {name}, but there is no such package"):
        discover([name])


def test_a_package_that_needs_what_is_not_installed_says_what(package: Package) -> None:
    package.module("needy", "import not_installed_anywhere", header="")
    with pytest.raises(CannotRun, match="needs the module not_installed_anywhere"):
        discover([package.name])


def test_a_package_that_is_no_python_is_said_to_be_broken(package: Package) -> None:
    package.module("broken", "def (:", header="")
    with pytest.raises(CannotRun, match="cannot be imported"):
        discover([package.name])


ROUTE = '@router.get("/x", operation_id="x")'
DECLARED = '@operation(scope="x:read")'
FUNCTION = 'async def x() -> str: return ""'

WRONG = {
    r"GET /x is not declared as an operation: put @operation": (ROUTE, FUNCTION),
    r'has no operation id: add operation_id="x"': ('@router.get("/x")', DECLARED, FUNCTION),
    r"'list\.x', which models cannot call": (
        ROUTE.replace('"x"', '"list.x"'),
        DECLARED,
        FUNCTION,
    ),
    r"give both the same name": (ROUTE.replace('"x"', '"get_x"'), DECLARED, FUNCTION),
    r"GET/POST /x answers to several methods": (
        '@router.api_route("/x", methods=["GET", "POST"], operation_id="x")',
        DECLARED,
        FUNCTION,
    ),
    r"the scope 'read all': write it as family:verb": (
        ROUTE,
        DECLARED.replace("x:read", "read all"),
        FUNCTION,
    ),
    r"is named list_todos, as is plugin\.operations\.todos: GET /todos": (
        ROUTE.replace('"x"', '"list_todos"'),
        DECLARED,
        FUNCTION.replace("x()", "list_todos()"),
    ),
    r"/y is not declared as an operation": ('router.add_route("/y", lambda request: None)',),
}


@pytest.mark.parametrize("why", WRONG)
def test_what_could_not_be_served_stops_the_start(package: Package, why: str) -> None:
    package.module("wrong", "\n".join(WRONG[why]))
    with pytest.raises(CannotRun, match=why):
        discover([package.name])


def test_routes_of_an_included_router_are_checked_too(package: Package) -> None:
    package.module(
        "nested",
        """
        inner = APIRouter()

        @inner.get("/hidden", operation_id="hidden")
        async def hidden() -> str:
            return "never guarded"

        router.include_router(inner, prefix="/outer")
        """,
    )
    with pytest.raises(CannotRun, match="/outer/hidden is not declared"):
        discover([package.name])


@pytest.mark.parametrize(
    ("module", "why"),
    [
        (GOOD.replace('"/echo", operation_id', '"/todos", operation_id'), "same calls as"),
        (GOOD + GOOD.replace("operation_id", "deprecated=True, operation_id"), "named echo"),
        (GOOD.replace('@operation(scope="echo:read", idempotent=True)', "@operation()"), "line "),
        ("raise RuntimeError('no such thing')", "RuntimeError: no such thing"),
        ("", "no module of it has a `router`"),
    ],
)
def test_a_mistake_is_one_line_that_says_where(package: Package, module: str, why: str) -> None:
    package.module("mistaken", module, header=HEADER if module else "")
    with pytest.raises(CannotRun, match=why) as caught:
        discover([package.name])
    assert "\n" not in caught.value.detail


def test_a_router_of_another_name_is_not_passed_over(package: Package) -> None:
    package.module(
        "elsewhere", GOOD.replace("@router", "@api"), HEADER.replace("router =", "api =")
    )
    with pytest.raises(CannotRun, match="`api`, which is not looked for"):
        discover([package.name])
