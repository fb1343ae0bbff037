"""The page and GitHub's annotations, from the command's arguments to the files."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.harness.test_replay import APPLICATIONS, GOOD, WRONG, recorded
from tests.harness.command import Ran, command

Run = Callable[..., Ran]
TOOLS = [{"name": "get_item", "input_schema": {"properties": {"id": {"type": "integer"}}}}]


@pytest.fixture(params=["replay", "judge"])
def run(
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    capsysbinary: pytest.CaptureFixture[bytes],
    tmp_path: Path,
) -> Run:
    """Either command, with what it needs."""
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    monkeypatch.delenv("PLUGIN_KEY", raising=False)
    tools = tmp_path / "tools.json"
    tools.write_text(json.dumps(TOOLS))
    needed = {"replay": ("--app", f"{APPLICATIONS}:good"), "judge": ("--tools", tools)}
    group = str(request.param)
    ready = command(monkeypatch, capsysbinary, group)
    return lambda calls, *arguments: ready(calls, *needed[group], *arguments)


@pytest.fixture
def calls(tmp_path: Path) -> Path:
    file = tmp_path / "calls.jsonl"
    file.write_bytes(recorded(GOOD, WRONG))
    return file


def test_a_page(run: Run, calls: Path, tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    assert run(calls, "--html", file).code == 1
    content = file.read_text()
    assert content.startswith("<!doctype html>")
    assert re.search(r"<title>[^<]*1[^<]* wrong\.</title>", content)
    assert "number_as_string" in content
    assert "/properties/id/type" in content


def test_a_page_that_cannot_be_written(run: Run, calls: Path, tmp_path: Path) -> None:
    file = tmp_path / "missing" / "report.html"
    ran = run(calls, "--html", file)
    assert ran.code == 2
    assert ran.err.startswith(f"error: cannot write {file}: No such file or directory; give --html")


def test_annotations_stand_at_the_line(run: Run, calls: Path) -> None:
    ran = run(calls, "--github")
    found = [line for line in ran.out.splitlines() if line.startswith("::error ")]
    assert ran.code == 1
    assert len(found) == 1
    title = "title=get_item%3A the call was wrong"
    assert found[0].startswith(f"::error file={calls},line=2,{title}::number_as_string: `/id`")


def test_rows_of_an_indented_list_are_no_lines(run: Run, tmp_path: Path) -> None:
    rows = [json.loads(line) for line in recorded(GOOD, WRONG).splitlines()]
    file = tmp_path / "calls.json"
    file.write_text(json.dumps(rows, indent=1))
    (found,) = [line for line in run(file, "--github").out.splitlines() if "::error " in line]
    assert ",line=" not in found
    assert "::row 2: number_as_string" in found


def test_what_a_model_wrote_is_no_command_to_the_runner(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "calls.jsonl"
    file.write_bytes(recorded(("\n::error::planted", "{}"), ("get_item", {"\n::warning::x": 1})))
    lines = run(file, "--github").out.splitlines()
    (stop,) = [line for line in lines if line.startswith("::stop-commands::")]
    token = stop.removeprefix("::stop-commands::")
    assert len(token) == 32
    assert lines.count(f"::{token}::") == 1
    after = lines[lines.index(f"::{token}::") + 1 :]
    obeyed = [
        line for line in [*lines[: lines.index(stop)], *after] if line.lstrip().startswith("::")
    ]
    assert [line.partition(" ")[0] for line in obeyed] == ["::error"] * 2


def test_json_lines_stay_clean(run: Run, calls: Path) -> None:
    ran = run(calls, "--github", "--json")
    assert len(ran.lines) == 2
    assert ran.err.startswith("::error file=")


def test_the_summary_of_the_step_is_appended(
    run: Run, calls: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "summary.md"
    file.write_text("before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(file))
    run(calls)
    assert file.read_text() == "before\n"
    run(calls, "--github")
    before, heading, *rest = file.read_text().splitlines()
    assert (before, heading[:4]) == ("before", "### ")
    assert "| operation |" in "\n".join(rest)


def test_calls_from_standard_input(run: Run) -> None:
    ran = run("-", "--github")
    assert ran.code == 0
    assert "::error" not in ran.out
