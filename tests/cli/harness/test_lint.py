"""`plugin lint`, from its arguments to its exit code."""

import json
from pathlib import Path

import pytest

from plugin.contract.targets import LINT_TARGETS
from tests.contract.lint.test_linter import document, parameter
from tests.contract.test_manifest import GOOD
from tests.harness.command import Command, command

ROOT = Path(__file__).parents[3]


@pytest.fixture
def lint(monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]) -> Command:
    return command(monkeypatch, capsysbinary, "lint")


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    """A document with an error and a warning for Actions."""
    file = tmp_path / "openapi.json"
    file.write_text(json.dumps(document({"summary": "x" * 301}, parameter("X-A", "header"))))
    return file


def test_json_lines_are_as_they_are_promised(lint: Command, tmp_path: Path) -> None:
    file = tmp_path / "openapi.json"
    file.write_text(json.dumps(document({"summary": "x" * 301})))
    ran = lint(file, "--target", "actions", "--json")
    assert ran.code == 1
    assert ran.lines == [
        {
            "level": "error",
            "rule": "actions-description",
            "pointer": "/paths/~10/post/summary",
            "message": "301 characters; 300 are allowed",
            "limit": 300,
            "found": 301,
            "source": "OpenAI guide, GPT Actions: production notes",
            "as_of": "2026-11-23",
        }
    ]


def test_what_people_read(lint: Command, spec: Path) -> None:
    ran = lint(spec, "--target", "actions")
    assert ran.code == 1
    assert "error    actions-description  /paths/~10/post/summary" in ran.out
    assert "'X-A' travels in a header: it is never sent" in ran.out
    assert "actions-description: 300 — OpenAI guide" in ran.out
    assert ran.out.endswith("1 error, 2 warnings for actions.\n")


def test_warnings_alone_are_no_failure(lint: Command, spec: Path) -> None:
    ran = lint(spec, "--target", "mcp", "--json")
    assert ran.code == 0
    assert {line["level"] for line in ran.lines} == {"warning"}


def test_nothing_to_mend(lint: Command, tmp_path: Path) -> None:
    file = tmp_path / "openapi.json"
    file.write_text(json.dumps(document({})))
    assert lint(file, "--target", "openai", "--json").out == ""
    ran = lint("-", "--target", "openai", stdin=file.read_bytes())
    assert (ran.code, ran.out) == (0, "nothing to mend for openai.\n")


def test_of_a_manifest_the_document_beside_it_is_linted(lint: Command, spec: Path) -> None:
    manifest = spec.parent / "ai-plugin.json"
    manifest.write_text(json.dumps({**GOOD, "name_for_human": "x" * 60}))
    (own,) = lint(manifest, "--target", "manifest", "--json").lines
    assert own["rule"] == "manifest-name-for-human"
    rules = {line["rule"] for line in lint(manifest, "--target", "actions", "--json").lines}
    assert "actions-description" in rules
    assert not any(rule.startswith("manifest") for rule in rules)


def test_of_a_manifest_an_inlined_document_is_linted(lint: Command, tmp_path: Path) -> None:
    manifest = tmp_path / "ai-plugin.json"
    manifest.write_text(json.dumps({**GOOD, "api": document({"summary": "x" * 301})}))
    ran = lint(manifest, "--target", "actions", "--json")
    assert [line["rule"] for line in ran.lines] == ["actions-description"]


def test_a_manifest_whose_document_cannot_be_had(lint: Command, tmp_path: Path) -> None:
    manifest = tmp_path / "ai-plugin.json"
    manifest.write_text(json.dumps({**GOOD, "api": {"type": "openapi"}}))
    ran = lint(manifest, "--target", "actions")
    assert (ran.code, ran.out) == (2, "")
    assert "names no OpenAPI document" in ran.err
    manifest.write_text(json.dumps({**GOOD, "api": {"type": "openapi", "url": manifest.name}}))
    ran = lint(manifest, "--target", "actions")
    assert ran.code == 2
    assert "is no OpenAPI document" in ran.err


def test_what_cannot_run_says_why(lint: Command, spec: Path) -> None:
    for arguments, said in (
        ((spec, "--target", "gemini"), "no target 'gemini'"),
        (("none.json", "--target", "mcp"), "cannot read none.json"),
    ):
        ran = lint(*arguments)
        assert (ran.code, ran.out) == (2, "")
        assert said in ran.err


@pytest.mark.parametrize("target", LINT_TARGETS)
@pytest.mark.parametrize("name", ["openapi.json", "ai-plugin.json"])
def test_our_own_documents_pass(lint: Command, name: str, target: str) -> None:
    ran = lint(ROOT / ".well-known" / name, "--target", target, "--json")
    assert ran.code == 0
    assert {line["level"] for line in ran.lines} <= {"note"}
