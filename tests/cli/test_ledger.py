import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from plugin.cli import build
from plugin.errors import CannotRun
from plugin.ledger.journal import note
from plugin.server import status_file
from tests.ledger.world import NOW, World, call, outcome


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PLUGIN_DATA_DIR", str(tmp_path / "data"))
    world = World(tmp_path / "data")
    with world.journal() as journal:
        for number in range(1, 4):
            journal.settled(journal.opened(call(number)), call(number), outcome())
    return world


def run(*arguments: str) -> Result:
    return CliRunner().invoke(build(), ["ledger", *arguments], catch_exceptions=False)


def test_a_whole_ledger(world: World) -> None:
    result = run("verify")
    assert result.exit_code == 0
    assert "3 rows: the chain is whole" in result.stdout
    kept = result.stdout.splitlines()[-1]
    assert run("verify", "--expect", kept).exit_code == 0
    said = json.loads(run("verify", "--json").stdout)
    assert f"{said['rows']}:{said['head']}" == kept
    assert said["faults"] == []
    assert len(world.rows()) == 3


def test_a_changed_row_is_named(world: World) -> None:
    run("verify")
    world.change("UPDATE ledger SET tokens_out = 0 WHERE serial = 2")
    result = run("verify")
    assert result.exit_code == 1
    assert "row 2 was changed" in result.stdout
    assert "request id req_2" in " ".join(result.stdout.split())
    said = json.loads(run("verify", "--json").stdout)
    assert [fault["row"] for fault in said["faults"]] == [2]


def test_a_ledger_written_anew_is_not_the_one_that_was_kept(world: World) -> None:
    kept = run("verify").stdout.splitlines()[-1]
    for table in ("ledger", "ledger_balances"):
        world.change(f"DELETE FROM {table}")  # noqa: S608 - our own
    world.change("UPDATE ledger_head SET serial = 0, hash = zeroblob(32)")
    with world.journal() as journal:
        for number in (1, 2):
            journal.settled(journal.opened(call(number)), call(number), outcome())
    assert run("verify").exit_code == 0
    result = run("verify", "--expect", kept)
    assert result.exit_code == 1
    assert "row 3 is missing: row 3 was there at the earlier check" in result.stdout
    with world.journal() as journal:
        journal.settled(journal.opened(call(9)), call(9), outcome())
    result = run("verify", "--expect", kept)
    assert "row 3 is not the one that was there" in result.stdout


def test_an_anchor_of_another_form(world: World) -> None:
    assert world.files()
    with pytest.raises(CannotRun, match="--expect is ROW:HASH"):
        run("verify", "--expect", "3")


def test_acts_come_in_their_order(world: World) -> None:
    acts: list[tuple[str, str, dict[str, Any]]] = [
        ("key created", "key_ann", {"name": "Ann"}),
        ("limit set", "all", {"cap": 5}),
    ]
    note(world.journals, lambda: NOW, acts)
    lines = run("acts").stdout.splitlines()
    assert lines == [
        "2027-01-15 08:00:00Z  key created  key_ann  by operator  name=Ann",
        "2027-01-15 08:00:00Z  limit set  all  by operator  cap=5",
    ]
    (last,) = json.loads(run("acts", "--last", "1", "--json").stdout)
    assert (last["act"], last["detail"]) == ("limit set", {"cap": 5})


def test_no_acts_yet(world: World) -> None:
    assert world.files()
    assert run("acts").stdout == "There are no acts yet.\n"


def test_while_a_service_is_stuck_it_says_that_some_is_missing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("plugin.cli.ledger._PATIENCE", 0.05)
    with world.writer() as service:
        assert service._lock.acquire()
        result = run("verify")
    assert result.exit_code == 0
    assert "some calls are still in journals" in result.stderr
    assert "0 rows" in result.stdout


def test_what_is_done_to_keys_is_an_act(world: World) -> None:
    command = CliRunner()
    made = json.loads(command.invoke(build(), ["keys", "create", "--name", "Ann", "--json"]).stdout)
    command.invoke(build(), ["keys", "rotate", made["id"], "--overlap", "12h"])
    command.invoke(build(), ["keys", "revoke", made["id"]])
    acts = json.loads(run("acts", "--json").stdout)
    assert [(act["act"], act["subject"], act["detail"]) for act in acts] == [
        ("key created", made["id"], {"name": "Ann", "scopes": ["*"]}),
        ("key rotated", made["id"], {"overlap": "12h"}),
        ("key revoked", made["id"], {}),
    ]
    assert made["key"] not in json.dumps(acts)
    assert world.faults() == []


def test_an_act_that_cannot_be_noted_is_done_and_said(world: World) -> None:
    for path in world.journals.iterdir():
        path.unlink()
    world.journals.rmdir()
    world.journals.write_text("in the way")
    result = CliRunner().invoke(build(), ["keys", "create", "--name", "Ann", "--json"])
    assert result.exit_code == 0
    assert "warning: this act is not in the ledger" in result.stderr
    assert json.loads(result.stdout)["name"] == "Ann"


def test_an_archive_is_whole_and_the_next_ledger_names_its_end(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = run("verify").stdout.splitlines()[-1]
    monkeypatch.chdir(world.directory.parent)
    result = run("archive", "old")
    assert result.stdout.splitlines() == ["3 rows moved to old; it ends with", kept]
    assert world.faults() == []
    [act] = world.rows("act")
    detail = json.loads(act["detail"])
    assert (act["serial"], act["action"]) == (1, "ledger archived")
    assert f"{detail['rows']}:{detail['head']}" == kept
    assert world.rows() == []
    with world.journal() as journal:
        journal.settled(journal.opened(call(9)), call(9), outcome())
    assert run("verify").exit_code == 0
    assert world.ids() == ["req_9"]
    monkeypatch.setenv("PLUGIN_DATA_DIR", "old")
    assert run("verify", "--expect", kept).exit_code == 0
    used = CliRunner().invoke(
        build(), ["usage", "--json", "--from", "2027-01-01", "--to", "2027-02-01"]
    )
    assert json.loads(used.stdout)["total"]["calls"] == 3


def test_what_is_not_as_written_is_not_archived(world: World, tmp_path: Path) -> None:
    run("verify")
    world.change("UPDATE ledger SET tokens_out = 0 WHERE serial = 2")
    with pytest.raises(CannotRun, match="not as written"):
        run("archive", str(tmp_path / "old"))
    assert len(world.rows()) == 3
    assert not (tmp_path / "old").exists()


def test_nothing_is_archived_while_the_service_runs_or_where_something_is(
    world: World, tmp_path: Path
) -> None:
    with status_file.ours(world.directory):
        status_file.write(world.directory, status_file.Standing(7))
        with pytest.raises(CannotRun, match="process 7"):
            run("archive", str(tmp_path / "old"))
    with pytest.raises(CannotRun, match="is there already"):
        run("archive", str(tmp_path))
    with world.journal() as journal:
        journal.opened(call(8))
        with pytest.raises(CannotRun, match="still in journals"):
            run("archive", str(tmp_path / "old"))


def test_a_directory_without_a_ledger_is_said_to_be_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLUGIN_DATA_DIR", str(tmp_path / "elsewhere"))
    with pytest.raises(CannotRun, match="there is no ledger"):
        run("verify")
    assert not (tmp_path / "elsewhere").exists()
