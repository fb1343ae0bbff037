"""The parent as the one that writes the ledger."""

import threading
from pathlib import Path

import pytest

from plugin.server import ledger_writer
from plugin.server.ledger_writer import LedgerBeside
from plugin.settings import Settings
from tests.ledger.world import World, call, outcome


def settings(world: World) -> Settings:
    return Settings(_env_file=None, data_dir=world.directory, database_url=world.url)


def test_what_workers_leave_is_in_the_ledger_at_the_end(tmp_path: Path) -> None:
    world, beside = World(tmp_path), LedgerBeside()
    beside.follow(settings(world))
    with world.journal("w") as journal:
        journal.settled(journal.opened(call(1)), call(1), outcome())
    beside.follow(settings(world))  # goes on
    beside.stop()
    assert world.ids() == ["req_1"]
    assert world.files() == []
    beside.stop()


def test_it_goes_over_to_the_database_that_is_set(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).mkdir()
    first, other = World(tmp_path / "a"), World(tmp_path / "b")
    beside = LedgerBeside()
    with first.journal("w") as journal:
        beside.follow(settings(first))
        journal.settled(journal.opened(call(1)), call(1), outcome())
        beside.follow(settings(first).model_copy(update={"database_url": other.url}))
        assert first.ids() == ["req_1"]  # what was there before went to the old one
    beside.stop()
    with first.writer() as writer:
        assert writer.drain()  # the lock is free


def test_its_end_does_not_wait_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world, beside = World(tmp_path), LedgerBeside()
    beside.follow(settings(world))
    monkeypatch.setattr(ledger_writer, "_LAST_LOOK", 0.05)
    with world.database.connect() as connection:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        with world.journal("w") as journal:
            journal.opened(call(1))
        beside.stop()
        assert world.files() != []
        connection.rollback()
    for thread in threading.enumerate():
        if thread.name == "ledger's end":
            thread.join(10)
