import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from plugin.api import well_known
from plugin.cli import main

COMMITTED = Path(__file__).parents[3] / ".well-known"

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    def start(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["plugin", "contract", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        code = ended.value.code
        said = capsys.readouterr()
        return code if isinstance(code, int) else 0, said.out, said.err

    return start


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in (well_known.MANIFEST, well_known.LOGO, "openapi.json"):
        (tmp_path / name).write_bytes((COMMITTED / name).read_bytes())
    return tmp_path


def edit(file: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    document = json.loads(file.read_text())
    change(document)
    file.write_text(json.dumps(document))


def test_the_committed_copies_are_what_this_code_promises(run: Run) -> None:
    code, out, err = run("--check", "--directory", str(COMMITTED))
    assert (code, err) == (0, ""), out


def test_the_environment_does_not_matter(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLUGIN_PUBLIC_URL", "https://elsewhere.example")
    monkeypatch.setenv("PLUGIN_PORT", "not a number")
    assert run("--check", "--directory", str(COMMITTED))[0] == 0


def test_a_breaking_change_is_told_and_ends_in_1(run: Run, folder: Path) -> None:
    def before(document: dict[str, Any]) -> None:
        del document["components"]["schemas"]["AddTodo"]["required"]
        document["paths"]["/todos"]["get"]["summary"] = "Show todos"

    edit(folder / "openapi.json", before)
    code, out, err = run("--check", "--directory", str(folder))
    assert code == 1
    assert out.splitlines() == [
        "breaks callers: add_todo argument text: it is required now",
        "harmless: list_todos: its summary changed",
    ]
    assert "2 changes, 1 of them breaking" in err

    code, out, _ = run("--json", "--directory", str(folder))
    assert code == 1
    assert json.loads(out)[0] == {
        "where": "add_todo argument text",
        "what": "it is required now",
        "breaking": True,
    }


def test_a_manifest_of_other_addresses_is_a_change(run: Run, folder: Path) -> None:
    text = (folder / well_known.MANIFEST).read_text()
    (folder / well_known.MANIFEST).write_text(text.replace("127.0.0.1:8000", "localhost:9000"))
    code, out, _ = run("--check", "--directory", str(folder))
    assert code == 1
    assert "breaks callers: api" in out
    assert "harmless: logo_url" in out


def test_what_no_reader_understands_is_still_a_change(run: Run, folder: Path) -> None:
    edit(folder / "openapi.json", lambda document: document.update({"x-unread": 1}))
    code, out, _ = run("--check", "--directory", str(folder))
    assert (code, out) == (1, "harmless: openapi.json: something changed that no caller sees\n")


def test_write_makes_the_copies_and_then_all_is_well(run: Run, folder: Path) -> None:
    (folder / "openapi.json").unlink()
    code, _, err = run("--check", "--directory", str(folder))
    assert code == 2
    assert "`plugin contract --write` makes it" in err
    code, out, _ = run("--write", "--directory", str(folder))
    assert code == 0
    assert out.count("wrote ") == 2
    assert run("--check", "--directory", str(folder))[0] == 0
    assert (folder / "openapi.json").read_bytes() == (COMMITTED / "openapi.json").read_bytes()


def test_a_broken_copy_or_template_is_one_line(run: Run, folder: Path) -> None:
    (folder / "openapi.json").write_text("{")
    assert run("--directory", str(folder))[0] == 2
    edit(folder / well_known.MANIFEST, lambda made: made.pop("contact_email"))
    code, _, err = run("--directory", str(folder))
    assert code == 2
    assert err.startswith("error: ai-plugin.json is not a valid manifest")
    assert err.count("\n") == 1


def test_check_and_write_exclude_each_other(run: Run) -> None:
    assert run("--check", "--write")[0] == 2
