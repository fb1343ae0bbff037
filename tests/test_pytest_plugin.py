"""Recorded calls as pytest items, in projects of other authors' layouts."""

import json
import os
import re
import runpy
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from tests.sizes import sized

SERVICE = '''
"""A notebook, in memory; it knows nothing of the project that tests it."""
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

NOTE = {
    "type": "object",
    "properties": {"id": {"type": "integer"}, "text": {"type": "string"}},
    "required": ["id", "text"],
}


def answer(schema):
    return {"description": "ok", "content": {"application/json": {"schema": schema}}}


DOCUMENT = {
    "openapi": "3.1.0",
    "info": {"title": "Notes", "version": "1"},
    "paths": {
        "/notes": {
            "post": {
                "operationId": "add_note",
                "requestBody": {"content": {"application/json": {"schema": {
                    "type": "object",
                    "properties": {"text": {"type": "string"}},
                    "required": ["text"],
                }}}},
                "responses": {"201": answer(NOTE), "400": answer({"type": "object"})},
            },
        },
        "/notes/{id}": {
            "get": {
                "operationId": "get_note",
                "parameters": [{"name": "id", "in": "path", "required": True,
                                "schema": {"type": "integer"}}],
                "responses": {"200": answer(NOTE)},
            },
        },
        "/broken": {
            "get": {"operationId": "get_broken", "responses": {"200": answer(NOTE)}},
        },
        "/secret": {
            "get": {
                "operationId": "get_secret",
                "security": [{"bearer": []}],
                "responses": {"200": answer({"type": "string"})},
            },
        },
    },
    "components": {"securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}}},
}


@asynccontextmanager
async def lifespan(app):
    app.state.notes = []
    with Path("lifespans.txt").open("a") as log:
        log.write("opened\\n")
    yield
    with Path("lifespans.txt").open("a") as log:
        log.write("closed\\n")


async def document(request):
    return JSONResponse(DOCUMENT)


async def add(request):
    note = await request.json()
    if not isinstance(note.get("text"), str):
        return JSONResponse({"error": "text is missing"}, 400)
    notes = request.app.state.notes
    notes.append({"id": len(notes) + 1, "text": note["text"]})
    return JSONResponse(notes[-1], 201)


async def get(request):
    notes, number = request.app.state.notes, int(request.path_params["id"])
    if number > len(notes):
        return JSONResponse({"error": "no such note"}, 404)
    return JSONResponse(notes[number - 1])


async def broken(request):
    return JSONResponse({"id": "one"})


async def secret(request):
    if request.headers.get("authorization") != "Bearer a-planted-key":
        return JSONResponse({"error": "who are you?"}, 401)
    return JSONResponse("the secret")


app = Starlette(
    routes=[
        Route("/openapi.json", document),
        Route("/notes", add, methods=["POST"]),
        Route("/notes/{id:int}", get),
        Route("/broken", broken),
        Route("/secret", secret),
    ],
    lifespan=lifespan,
)
'''
CONFTEST = """
import asyncio

import pytest


@pytest.fixture(autouse=True)
def own_loop():
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield loop
    asyncio.set_event_loop(None)
    loop.close()
"""
CONFIGURATION = """
[project]
name = "notebook"
version = "0"

[tool.pytest.ini_options]
testpaths = ["tests"]
pythonpath = ["src"]
addopts = ["-p", "no:cacheprovider", "--strict-config", "--strict-markers"]
filterwarnings = ["error"]
plugin_calls = ["calls/*.jsonl"]
plugin_app = "notebook.main:app"
"""
NEIGHBOUR = ("-o", "asyncio_default_fixture_loop_scope=function")
"""pytest-asyncio is installed beside us and stays; without this it warns of itself."""

_OTHERS = ("schemathesis", "hypothesispytest", "xdist", "xdist.looponfail", "socket", "timeout")
LEFT_OUT = sized([part for name in _OTHERS for part in ("-p", f"no:{name}")], [])
"""Plugins of this environment that the gate does not load: a second of CPU a run."""

CALLS: list[tuple[str, Any]] = [
    ("add_note", {"text": "one"}),
    ("get_note", {"id": 1}),
    ("get_note", {"id": "1"}),
    ("get_broken", {}),
    ("get_secret", {}),
    ("invent::it/now \x1b[31m", {}),
]
IDS = [
    "calls/notes.jsonl::add_note[row1]",
    "calls/notes.jsonl::get_note[row2]",
    "calls/notes.jsonl::get_note[row3]",
    "calls/notes.jsonl::get_broken[row4]",
    "calls/notes.jsonl::get_secret[row5]",
    "calls/notes.jsonl::invent__it_now___31m[row6]",
    "calls/notes.jsonl::unreadable[row7]",
    "tests/test_own.py::test_own",
]


@dataclass(frozen=True)
class Ran:
    """How each item ended, as JUnit reports it, and what pytest printed."""

    outcomes: dict[str, str]
    out: str


class Project:
    """A project in a folder of its own, and what pytest says there."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def write(self, name: str, content: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, "utf-8")

    def calls(self, name: str, calls: list[tuple[str, Any]], more: str = "") -> None:
        rows = [{"calls": [{"name": one, "arguments": given}]} for one, given in calls]
        self.write(name, "".join(f"{json.dumps(row)}\n" for row in rows) + more)

    def pytest(self, *arguments: str, **settings: str) -> "subprocess.CompletedProcess[str]":
        kept = {name: value for name, value in os.environ.items() if "PY" not in name.upper()}
        kept = {name: value for name, value in kept.items() if not name.startswith("PLUGIN_")}
        return subprocess.run(  # noqa: S603 - our own command
            [sys.executable, "-m", "pytest", *NEIGHBOUR, *LEFT_OUT, *arguments],
            cwd=self.root,
            env={**kept, **settings},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def outcomes(self, *arguments: str, **settings: str) -> dict[str, str]:
        return self.ran(*arguments, **settings).outcomes

    def ran(self, *arguments: str, **settings: str) -> Ran:
        report = self.root / "report.xml"
        done = self.pytest(f"--junitxml={report}", *arguments, **settings)
        assert report.exists(), done.stdout + done.stderr
        found = {}
        for case in ET.parse(report).getroot().iter("testcase"):  # noqa: S314 - pytest's own
            kinds = [part.tag for part in case if part.tag not in ("properties", "system-out")]
            found[case.get("name", "")] = kinds[0] if kinds else "passed"
        return Ran(found, done.stdout)

    def lifespans(self) -> list[str]:
        return (self.root / "lifespans.txt").read_text().split()


def document(directory: Path) -> dict[str, Any]:
    """The OpenAPI document of the service, which is written in `directory`."""
    found: dict[str, Any] = runpy.run_path(str(directory / "main.py"))["DOCUMENT"]
    return found


def make(root: Path) -> Project:
    made = Project(root)
    made.write("pyproject.toml", CONFIGURATION)
    made.write("src/notebook/__init__.py", "")
    made.write("src/notebook/main.py", SERVICE)
    made.write("tests/conftest.py", CONFTEST)
    made.write("tests/test_own.py", "def test_own(own_loop):\n    own_loop.run_until_complete\n")
    made.calls("calls/notes.jsonl", CALLS, "oops\n")
    return made


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return make(tmp_path)


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, Ran]:
    """The project with two more files of calls, and one run of everything in it."""
    made = make(tmp_path_factory.mktemp("notebook"))
    made.calls("calls/other.jsonl", [("get_note", {"id": 1})])
    call = {"type": "function", "function": {"name": "add_note", "arguments": '{"text": "x"}'}}
    both = {"role": "assistant", "tool_calls": [{"id": "1", **call}, {"id": "2", **call}]}
    row = {"messages": [both, {"role": "user", "content": "go on"}, both]}
    made.write("calls/replies.jsonl", json.dumps(row))
    return made, made.ran("-v", "-rs")


def test_each_call_is_an_item_beside_the_projects_own_tests(
    untouched: tuple[Project, Ran],
) -> None:
    listed = re.findall(r"^((?:calls|tests)/\S+) [A-Z]+ ", untouched[1].out, re.MULTILINE)
    others = ("calls/other.jsonl", "calls/replies.jsonl")
    assert sorted(one for one in listed if not one.startswith(others)) == sorted(IDS)


@pytest.mark.long
def test_items_are_listed_and_not_run(project: Project) -> None:
    listed = project.pytest("--collect-only", "-q").stdout.splitlines()
    assert sorted(listed[: len(IDS)]) == sorted(IDS)
    assert not (project.root / "lifespans.txt").exists()


def test_blame(untouched: tuple[Project, Ran]) -> None:
    assert untouched[1].outcomes == {
        "test_own": "passed",
        "add_note[row1]": "passed",
        "get_note[row2]": "passed",
        "get_note[row3]": "failure",
        "get_broken[row4]": "failure",
        "get_secret[row5]": "skipped",
        "invent__it_now___31m[row6]": "failure",
        "unreadable[row7]": "failure",
        **OTHER,
        **REPLIES,
    }


OTHER = {"get_note[row1]": "failure"}
"""Its file has a service of its own, where no call made the note."""

REPLIES = {
    "add_note[row1-call0]": "passed",
    "add_note[row1-call1]": "failure",  # the same call twice in one reply
    "add_note[row1-reply1-call0]": "passed",
    "add_note[row1-reply1-call1]": "failure",
}
"""Calls of one reply, and further replies, have names of their own."""


def test_each_file_has_a_service_of_its_own(untouched: tuple[Project, Ran]) -> None:
    project, ran = untouched
    assert ran.outcomes.items() >= OTHER.items()
    assert project.lifespans() == ["opened", "closed"] * 3


def test_what_a_failure_says(untouched: tuple[Project, Ran]) -> None:
    out = untouched[1].out
    assert "The service broke its contract.\n  get_broken → 200  (row 4 reply 0 call 0)" in out
    assert '/id: "one" is not of type "integer"' in out
    assert "The call was wrong; the service did nothing wrong.\n  get_note → 200  (row 3" in out
    assert 'number_as_string: `/id` is "1" (string); expected integer' in out
    assert re.search(r"SKIPPED .*\(401\)", out)
    assert "the environment variable PLUGIN_KEY" in out
    assert "line 7 is not JSON" in out
    assert "\x1b[31m" not in out
    assert "Traceback" not in out


def test_items_alone_find_what_the_calls_before_them_made_and_the_key_of_the_environment(
    project: Project,
) -> None:
    chosen = [f"calls/notes.jsonl::{name}" for name in ("get_note[row2]", "get_secret[row5]")]
    found = project.outcomes(*chosen, PLUGIN_KEY="a-planted-key")
    assert found == {"get_note[row2]": "passed", "get_secret[row5]": "passed"}
    assert "a-planted-key" not in (project.root / "report.xml").read_text()


def test_a_run_that_names_tests_runs_no_more_and_a_test_without_a_marker_is_told_of_it(
    project: Project,
) -> None:
    project.write("tests/test_unmarked.py", "def test_unmarked(recorded_call):\n    pass\n")
    ran = project.ran("tests", "--continue-on-collection-errors")
    assert ran.outcomes == {"test_own": "passed", "tests.test_unmarked": "error"}
    says = "test_unmarked: recorded_call needs its files: @pytest.mark.plugin_calls("
    assert says in ran.out
    assert not (project.root / "lifespans.txt").exists()


def test_which_outcomes_fail(project: Project) -> None:
    only = ("-o", "plugin_fail_on=service_broke_contract not_sent")
    found = project.outcomes(*only)
    assert [name for name, how in found.items() if how == "failure"] == [
        "get_broken[row4]",
        "get_secret[row5]",
        "unreadable[row7]",
    ]
    done = project.pytest("-o", "plugin_fail_on=everything")
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "plugin_fail_on: unknown everything; known: passed" in done.stderr


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (["plugin_app=notebook.gone:app"], "plugin_app notebook.gone:app: ModuleNotFoundError"),
        pytest.param(
            ["plugin_app=nonsense"],
            "plugin_app nonsense: expected module:attribute",
            marks=pytest.mark.long,
        ),
        pytest.param(["plugin_openapi=gone.yaml"], "cannot read", marks=pytest.mark.long),
        (["plugin_url=http://127.0.0.1:1"], "plugin_app and plugin_url exclude each other"),
        pytest.param(
            ["plugin_app=", "plugin_url=http://127.0.0.1:1"],
            "http://127.0.0.1:1",
            marks=pytest.mark.long,
        ),
        (
            ["plugin_app=", "plugin_url=https://example.com"],
            "example.com is not this machine; plugin_allow_hosts = example.com",
        ),
    ],
)
def test_what_cannot_run_is_an_error_of_each_item(
    project: Project, settings: list[str], says: str
) -> None:
    project.calls("calls/notes.jsonl", CALLS[:2])
    options = [part for setting in settings for part in ("-o", setting)]
    done = project.pytest("calls", *options)
    assert says in done.stdout
    assert done.stdout.count("ERROR calls/notes.jsonl::") == 2
    assert "Traceback" not in done.stdout


def test_a_document_beside_the_service_and_an_option_instead_of_a_setting(project: Project) -> None:
    project.write("spec/openapi.json", json.dumps(document(project.root / "src" / "notebook")))
    project.write("src/notebook/other.py", "from notebook.main import app\nmake = lambda: app\n")
    options = ("-o", "plugin_openapi=spec/openapi.json", "--plugin-app", "notebook.other:make")
    assert project.outcomes("calls/notes.jsonl::add_note[row1]", *options) == {
        "add_note[row1]": "passed"
    }


def test_a_project_without_calls_notices_nothing(project: Project) -> None:
    project.write("pyproject.toml", "[tool.pytest.ini_options]\nfilterwarnings = ['error']\n")
    heavy = "import sys; loaded = [m for m in sys.modules if m.startswith('plugin.')]"
    project.write(
        "tests/test_own.py",
        f"def test_own():\n    {heavy}\n    assert loaded == ['plugin.pytest_plugin']\n",
    )
    assert project.outcomes() == {"test_own": "passed"}


FIXTURES = """
import pytest
from notebook.main import DOCUMENT, app


@pytest.fixture(scope="module")
def database():
    return ["from a fixture"]


@pytest.fixture(scope="module")
def plugin_app(database):
    async def with_a_fixture(scope, receive, send):
        async def send_more(message):
            if message["type"] == "lifespan.startup.complete":
                app.state.notes.append({"id": 1, "text": database[0]})
            await send(message)

        await app(scope, receive, send_more)

    return with_a_fixture


@pytest.mark.plugin_calls("recorded/*.jsonl")
def test_recorded(recorded_call, database):
    assert recorded_call.event.status in (200, None)
    recorded_call.check()


@pytest.mark.plugin_calls("recorded/*.jsonl")
def test_again(recorded_call):
    recorded_call.check()
"""


MARKED = """
import pytest


@pytest.mark.plugin_calls("calls/*.jsonl")
def test_marked(recorded_call):
    recorded_call.check()
"""


def test_tests_of_its_own_with_fixtures_of_their_own_and_with_the_settings(
    project: Project,
) -> None:
    project.write("tests/test_own.py", FIXTURES)
    project.calls("recorded/notes.jsonl", [("get_note", {"id": 1}), ("invented", {})])
    project.write("tests/test_settings.py", MARKED)
    project.calls("calls/notes.jsonl", CALLS[:2])
    ran = project.ran("tests")
    assert ran.outcomes == {
        "test_recorded[get_note[row1]]": "passed",
        "test_recorded[invented[row2]]": "failure",
        "test_again[get_note[row1]]": "passed",
        "test_again[invented[row2]]": "failure",
        "test_marked[add_note[row1]]": "passed",
        "test_marked[get_note[row2]]": "passed",
    }
    assert project.lifespans() == ["opened", "closed"] * 2, "once for each module"
    assert "The call was wrong" in ran.out
