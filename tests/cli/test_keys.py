import json
import re
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from plugin.auth.keys import well_formed
from plugin.cli import build
from plugin.errors import CannotRun


@pytest.fixture(autouse=True)
def _own_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PLUGIN_DATA_DIR", str(tmp_path / "data"))


def _run(*arguments: str) -> str:
    result = CliRunner().invoke(build(), ["keys", *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def _listed() -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = json.loads(_run("list", "--json"))
    return listed


def test_create_prints_what_scripts_rely_on() -> None:
    made = json.loads(_run("create", "--name", "Ann", "--json"))
    assert set(made) == {"id", "name", "key", "scopes"}
    assert (made["name"], made["scopes"]) == ("Ann", ["*"])
    assert well_formed(made["key"].encode())


def test_create_tells_people_to_keep_it() -> None:
    said = _run(
        "create", "--name", "Ann", "--scopes", "todos:read, todos:write", "--expires", "30d"
    )
    assert re.search(r"^key     gpk_\w{36}$", said, re.MULTILINE)
    assert "scopes  todos:read, todos:write" in said
    assert "until   20" in said
    assert "cannot be shown again" in said


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--scopes", "todos:raed"], r"no scope todos:raed; the scopes are .*todos:read"),
        (["--scopes", ","], "the scopes are"),
        (["--expires", "soon"], "'soon' is no length of time"),
        (["--name", " "], "--name must be"),
    ],
)
def test_what_cannot_be_created_is_one_line(arguments: list[str], message: str) -> None:
    with pytest.raises(CannotRun, match=message) as caught:
        _run("create", "--name", "Ann", *arguments)
    assert "\n" not in caught.value.detail
    assert _listed() == []


def test_list_never_shows_a_key() -> None:
    assert "no keys yet" in _run("list")
    key = json.loads(_run("create", "--name", "Ann", "--json"))["key"]
    said = _run("list")
    assert "Ann" in said
    assert key not in said
    assert key not in json.dumps(_listed())
    (row,) = _listed()
    assert (row["state"], row["begins"], row["last_used"]) == ("active", key[:8], None)


def test_revoke_and_rotate_by_id() -> None:
    made = json.loads(_run("create", "--name", "Ann", "--json"))
    rotated = json.loads(_run("rotate", made["id"], "--overlap", "12h", "--json"))
    assert rotated["id"] == made["id"]
    assert rotated["key"] != made["key"]
    assert [row["state"] for row in _listed()] == ["active", "active"]
    assert _run("revoke", made["id"]) == f"{made['id']} is revoked\n"
    assert [row["state"] for row in _listed()] == ["revoked", "revoked"]


@pytest.mark.parametrize("command", ["revoke", "rotate"])
def test_a_wrong_id_is_said(command: str) -> None:
    with pytest.raises(CannotRun, match="no key has the id key_x; `plugin keys list` shows"):
        _run(command, "key_x")
