"""Recorded calls as pytest items, in projects of other authors' layouts."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

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
            [sys.executable, "-m", "pytest", *NEIGHBOUR, *arguments],
            cwd=self.root,
            env={**kept, **settings},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def outcomes(self, *arguments: str, **settings: str) -> dict[str, str]:
        """How each item ended, as JUnit tells it."""
        report = self.root / "report.xml"
        done = self.pytest("-q", f"--junitxml={report}", *arguments, **settings)
        assert report.exists(), done.stdout + done.stderr
        found = {}
        for case in ET.parse(report).getroot().iter("testcase"):  # noqa: S314 - pytest's own
            kinds = [part.tag for part in case if part.tag not in ("properties", "system-out")]
            found[case.get("name", "")] = kinds[0] if kinds else "passed"
        return found

    def lifespans(self) -> list[str]:
        return (self.root / "lifespans.txt").read_text().split()


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = Project(tmp_path)
    made.write("pyproject.toml", CONFIGURATION)
    made.write("src/notebook/__init__.py", "")
    made.write("src/notebook/main.py", SERVICE)
    made.write("tests/conftest.py", CONFTEST)
    made.write("tests/test_own.py", "def test_own(own_loop):\n    own_loop.run_until_complete\n")
    made.calls("calls/notes.jsonl", CALLS, "oops\n")
    return made


def test_each_call_is_an_item_beside_the_projects_own_tests(project: Project) -> None:
    listed = project.pytest("--collect-only", "-q").stdout.splitlines()
    assert sorted(listed[: len(IDS)]) == sorted(IDS)


def test_blame(project: Project) -> None:
    assert project.outcomes() == {
        "test_own": "passed",
        "add_note[row1]": "passed",
        "get_note[row2]": "passed",
        "get_note[row3]": "failure",
        "get_broken[row4]": "failure",
        "get_secret[row5]": "skipped",
        "invent__it_now___31m[row6]": "failure",
        "unreadable[row7]": "failure",
    }
    assert project.lifespans() == ["opened", "closed"]


def test_what_a_failure_says(project: Project) -> None:
    out = project.pytest("-rs").stdout
    assert "The service broke its contract.\n  get_broken → 200  (row 4 reply 0 call 0)" in out
    assert '/id: "one" is not of type "integer"' in out
    assert "The call was wrong; the service did nothing wrong.\n  get_note → 200  (row 3" in out
    assert 'number_as_string: `/id` is "1" (string); expected integer' in out
    assert re.search(r"SKIPPED .*\(401\)", out)
    assert "the environment variable PLUGIN_KEY" in out
    assert "line 7 is not JSON" in out
    assert "\x1b[31m" not in out
    assert "Traceback" not in out


def test_the_key_comes_from_the_environment_and_is_not_shown(project: Project) -> None:
    found = project.outcomes("-k", "get_secret", PLUGIN_KEY="a-planted-key")
    assert found == {"get_secret[row5]": "passed"}
    assert "a-planted-key" not in (project.root / "report.xml").read_text()


def test_an_item_alone_finds_what_the_calls_before_it_made(project: Project) -> None:
    assert project.outcomes("calls/notes.jsonl::get_note[row2]") == {"get_note[row2]": "passed"}


def test_a_run_that_names_tests_runs_no_more(project: Project) -> None:
    assert project.outcomes("tests") == {"test_own": "passed"}
    assert not (project.root / "lifespans.txt").exists()


def test_each_file_has_a_service_of_its_own(project: Project) -> None:
    project.calls("calls/notes.jsonl", [("add_note", {"text": "one"}), ("get_note", {"id": 1})])
    project.calls("calls/other.jsonl", [("get_note", {"id": 1})])
    found = project.outcomes("calls")
    assert found == {
        "add_note[row1]": "passed",
        "get_note[row2]": "passed",
        "get_note[row1]": "failure",
    }
    assert project.lifespans() == ["opened", "closed"] * 2


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


def test_calls_of_one_reply_and_further_replies_have_names_of_their_own(project: Project) -> None:
    call = {"type": "function", "function": {"name": "add_note", "arguments": '{"text": "x"}'}}
    both = {"role": "assistant", "tool_calls": [{"id": "1", **call}, {"id": "2", **call}]}
    row = {"messages": [both, {"role": "user", "content": "go on"}, both]}
    project.write("calls/notes.jsonl", json.dumps(row))
    assert project.outcomes("calls") == {
        "add_note[row1-call0]": "passed",
        "add_note[row1-call1]": "failure",  # the same call twice in one reply
        "add_note[row1-reply1-call0]": "passed",
        "add_note[row1-reply1-call1]": "failure",
    }


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (["plugin_app=notebook.gone:app"], "plugin_app notebook.gone:app: ModuleNotFoundError"),
        (["plugin_app=nonsense"], "plugin_app nonsense: expected module:attribute"),
        (["plugin_openapi=gone.yaml"], "cannot read"),
        (["plugin_url=http://127.0.0.1:1"], "plugin_app and plugin_url exclude each other"),
        (["plugin_app=", "plugin_url=http://127.0.0.1:1"], "http://127.0.0.1:1"),
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
    made = "from notebook.main import DOCUMENT; import json; print(json.dumps(DOCUMENT))"
    document = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-c", made], cwd=project.root / "src", capture_output=True, check=True
    )
    project.write("spec/openapi.json", document.stdout.decode())
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


def test_a_test_of_its_own_with_its_own_fixtures(project: Project) -> None:
    project.write("tests/test_own.py", FIXTURES)
    project.calls("recorded/notes.jsonl", [("get_note", {"id": 1}), ("invented", {})])
    assert project.outcomes("tests") == {
        "test_recorded[get_note[row1]]": "passed",
        "test_recorded[invented[row2]]": "failure",
        "test_again[get_note[row1]]": "passed",
        "test_again[invented[row2]]": "failure",
    }
    assert project.lifespans() == ["opened", "closed"], "once for the module"
    assert "The call was wrong" in project.pytest("tests").stdout


def test_a_test_without_a_marker_is_told_of_it(project: Project) -> None:
    project.write("tests/test_own.py", "def test_own(recorded_call):\n    pass\n")
    done = project.pytest("tests")
    assert "test_own: recorded_call needs its files: @pytest.mark.plugin_calls(" in (
        done.stdout + done.stderr
    )


def test_a_marked_test_without_an_application_of_its_own_uses_the_settings(
    project: Project,
) -> None:
    marked = "import pytest\n\n@pytest.mark.plugin_calls('calls/*.jsonl')\n"
    body = "def test_own(recorded_call):\n    recorded_call.check()\n"
    project.write("tests/test_own.py", marked + body)
    project.calls("calls/notes.jsonl", CALLS[:2])
    assert project.outcomes("tests") == {
        "test_own[add_note[row1]]": "passed",
        "test_own[get_note[row2]]": "passed",
    }
