"""`plugin storage adopt`: the way out where a directory and a database do not belong together."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from plugin.cli import build
from plugin.errors import CannotRun


@pytest.fixture(autouse=True)
def _own_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PLUGIN_DATA_DIR", str(tmp_path / "data"))


def run(*arguments: str, answer: str = "") -> Result:
    return CliRunner().invoke(build(), [*arguments], catch_exceptions=False, input=answer)


def test_a_directory_is_adopted_and_the_ledger_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("keys", "list")
    before = (tmp_path / "data" / "identity").read_text().strip()
    monkeypatch.setenv("PLUGIN_DATABASE_URL", f"sqlite:///{tmp_path / 'other.db'}")
    monkeypatch.setenv("PLUGIN_DATA_DIR", str(tmp_path / "elsewhere"))
    run("keys", "list")
    monkeypatch.setenv("PLUGIN_DATA_DIR", str(tmp_path / "data"))
    with pytest.raises(CannotRun, match="plugin storage adopt"):
        run("keys", "list")
    assert run("storage", "adopt", answer="n\n").exit_code == 1
    with pytest.raises(CannotRun):
        run("keys", "list")
    adopted = run("storage", "adopt", "--yes")
    assert "belong together now" in adopted.stdout
    assert run("keys", "list").exit_code == 0
    acts = json.loads(run("ledger", "acts", "--json").stdout)
    [act] = [json.dumps(one) for one in acts if "storage adopted" in one.values()]
    assert before in act
    assert "nothing to do" in run("storage", "adopt", "--yes").stdout
