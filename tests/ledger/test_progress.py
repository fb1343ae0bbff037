"""Waiting for the ledger where another process writes it."""

from pathlib import Path

import pytest

from plugin.ledger.progress import await_writer
from tests.ledger.world import World, call, outcome


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_one_waits_until_another_has_written(world: World) -> None:
    with world.writer(every=0.01) as writer, world.journal("w") as journal:
        writer.start()
        for number in range(1, 4):
            journal.settled(journal.opened(call(number)), call(number), outcome())
            assert await_writer(world.journals, world.url, 5.0)
            assert len(world.ids()) == number
    assert await_writer(world.journals, world.url, 0.0)  # no journal is left


def test_one_waits_no_longer_than_said(world: World) -> None:
    with world.journal("w") as journal:
        journal.opened(call(1))
        assert not await_writer(world.journals, world.url, 0.05)
        with world.writer() as writer:  # nobody has taken its turn meanwhile
            assert writer.drain()
        assert await_writer(world.journals, world.url, 0.05)


def test_journals_that_cannot_be_seen_are_not_waited_for(world: World) -> None:
    world.journals.write_text("no directory")
    assert not await_writer(world.journals, world.url, 5.0)
