"""The workflow of docs/ci.md does what the page says: its own steps, run in a scratch project."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any, cast
from xml.etree import ElementTree as ET

import pytest
import yaml
from typer.testing import CliRunner

from plugin import pytest_plugin
from plugin.cli import build
from tests.sizes import sized
from tests.test_pytest_plugin import LEFT_OUT, SERVICE, document

ROOT = Path(__file__).parents[2]
PAGES = ("ci.md", "ci.zh.md")
MADE_ELSEWHERE = "pip install "
STEPS = ("judge", "replay", "show")
"""The second words of the page's scripts; `git show … | plugin drift` is the last one."""
CALLS = [("add_note", {"text": "one"}), ("get_note", {"id": 1})]


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / "docs" / page).read_text(), re.DOTALL)


def workflow(page: str) -> dict[str, Any]:
    (block,) = blocks(page, "yaml")
    parsed: dict[str, Any] = yaml.load(block, yaml.BaseLoader)  # noqa: S506 - `on` stays a word
    return parsed


def steps(page: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = workflow(page)["jobs"]["calls"]["steps"]
    return found


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository as the page expects one, with a base branch."""
    root = tmp_path_factory.mktemp("repository")
    (root / "my_service").mkdir(parents=True)
    (root / "my_service" / "main.py").write_text(SERVICE)
    (root / "calls").mkdir()
    rows = [{"calls": [{"name": name, "arguments": given}]} for name, given in CALLS]
    (root / "calls" / "good.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    (root / "openapi.json").write_text(json.dumps(document(root / "my_service")))
    git = "git -c user.name=a -c user.email=a@example.com -c init.defaultBranch=main"
    made = f"{git} init -q && {git} add . && {git} commit -qm base"
    done = run(root, f"{made} && git update-ref refs/remotes/origin/main HEAD")
    assert done.returncode == 0, done.stderr
    return root


@pytest.fixture
def project(repository: Path, tmp_path: Path) -> Path:
    """A copy of the repository that a test may change."""
    return Path(shutil.copytree(repository, tmp_path / "project"))


def test_the_test_of_its_own_passes(project: Path) -> None:
    (block,) = blocks("ci.md", "python")
    made = (
        "import pytest\nfrom my_service.main import app\n\n\ndef create_app(_):\n    return app\n"
    )
    made += "\n\n@pytest.fixture(scope='module')\ndef database():\n    return None\n\n\n"
    (project / "test_calls.py").write_text(made + block)
    quiet = "-q -p no:cacheprovider -o asyncio_default_fixture_loop_scope=function "
    quiet += " ".join(LEFT_OUT)
    done = run(project, f"python -m pytest {quiet} test_calls.py")
    assert "2 passed" in done.stdout, done.stdout


def run(root: Path, script: str) -> "subprocess.CompletedProcess[str]":
    """A step as the runner runs it: bash that stops at the first failure."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PLUGIN_")}
    given = {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{kept.get('PATH', '')}",
        "GITHUB_STEP_SUMMARY": str(root.parent / "summary.md"),
        "GITHUB_BASE_REF": "main",
        "RUNNER_TEMP": str(root.parent),
    }
    return subprocess.run(  # noqa: S603 - the page's own lines
        ["/usr/bin/env", "bash", "-eo", "pipefail", "-c", script],
        cwd=root,
        env=kept | given,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def run_all(
    root: Path, chosen: tuple[str, ...] = STEPS
) -> list["subprocess.CompletedProcess[str]"]:
    scripts = [step["run"] for step in steps("ci.md") if "run" in step]
    ours = [script for script in scripts if not script.startswith(MADE_ELSEWHERE)]
    assert tuple(script.split()[1] for script in ours) == STEPS
    return [run(root, script) for name, script in zip(STEPS, ours, strict=True) if name in chosen]


def test_a_good_project_is_green(project: Path) -> None:
    done = run_all(project)
    assert [one.returncode for one in done] == [0, 0, 0], [one.stderr for one in done]
    suites = ET.parse(project / "calls.xml").getroot()  # noqa: S314 - it is our own
    assert sum(int(suite.get("tests", "")) for suite in suites) == len(CALLS)
    assert (project / "calls.html").read_text().startswith("<!doctype html>")
    summary = (project.parent / "summary.md").read_text()
    assert "The service kept its contract." in summary


def test_a_change_that_breaks_a_call_is_red(project: Path) -> None:
    document = json.loads((project / "openapi.json").read_text())
    operation = document["paths"]["/notes"]["post"]
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    schema["properties"]["tag"] = {"type": "string"}
    schema["required"].append("tag")
    (project / "openapi.json").write_text(json.dumps(document))
    judge, replay, drift = run_all(project)
    assert [judge.returncode, replay.returncode, drift.returncode] == [1, 1, 1]
    assert "::error file=calls/good.jsonl,line=1," in judge.stdout
    summary = (project.parent / "summary.md").read_text()
    assert summary.count("missing&#95;required") == 2, "what judge and replay found"
    assert "`tag`" in summary, "what drift found"


def test_a_service_that_breaks_its_contract_is_red(project: Path) -> None:
    main = project / "my_service" / "main.py"
    main.write_text(main.read_text().replace("notes[-1], 201", '{"id": "one"}, 201'))
    # judge and drift read no service: the gate leaves them out
    codes, replay = sized([1], [0, 1, 0]), sized(0, 1)
    done = run_all(project, sized(("replay",), STEPS))
    assert [one.returncode for one in done] == codes
    assert (
        "::error file=calls/good.jsonl,line=1,title=add_note%3A the service broke"
        in done[replay].stdout
    )


def test_both_languages_have_the_same_blocks() -> None:
    assert workflow("ci.md") == workflow("ci.zh.md")
    for language in ("sh", "toml", "text", "python"):
        assert blocks("ci.md", language) == blocks("ci.zh.md", language)


def test_the_workflow_asks_for_no_more_than_it_needs() -> None:
    parsed = workflow("ci.md")
    assert parsed["permissions"] == {"contents": "read"}
    assert "pull_request_target" not in parsed["on"]
    for step in steps("ci.md"):
        assert "${{" not in step.get("run", ""), "text of others must not become a script"


class _Parser:
    """Takes down which settings a plugin declares."""

    def __init__(self) -> None:
        self.settings: list[str] = []

    def addini(self, name: str, *_: object, **__: object) -> None:
        self.settings.append(name)

    def getgroup(self, *_: object) -> "_Parser":
        return self

    def addoption(self, *_: object, **__: object) -> None:
        """Nothing to take down."""


@pytest.mark.parametrize("page", PAGES)
def test_the_settings_of_pytest_are_documented(page: str) -> None:
    parser = _Parser()
    pytest_plugin.pytest_addoption(cast("pytest.Parser", parser))
    (block,) = blocks(page, "toml")
    shown = tomllib.loads(block)["tool"]["pytest"]["ini_options"]
    assert set(shown) <= set(parser.settings)
    rows = re.findall(r"^\| (`plugin_.*?) \|", (ROOT / "docs" / page).read_text(), re.MULTILINE)
    listed = [name for row in rows for name in re.findall(r"`(\w+)`", row)]
    assert sorted(listed) == sorted(parser.settings)


@pytest.mark.parametrize("page", PAGES)
def test_the_command_for_a_running_service_has_real_options(page: str) -> None:
    (block,) = blocks(page, "sh")
    helped = CliRunner().invoke(build(), ["replay", "--help"]).stdout
    assert all(option in helped for option in re.findall(r"--[a-z-]+", block))
