from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select

from plugin.idempotency.store import Answer, Entry, Full, KeyTable, Name, keys
from plugin.storage.database import open_blocking
from tests.idempotency.world import DONE, NAME, OTHER, SAME
from tests.migrated import place_database


class Workers:
    """Two of them, one clock."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.now = 1_000.0
        self.alive = {"a", "b"}
        self.a, self.b = (
            KeyTable(name, self.alive.__contains__, lambda: self.now, 100) for name in "ab"
        )

    def claim(self, table: KeyTable, fingerprint: bytes = SAME, name: Name = NAME) -> Entry | None:
        with self.engine.begin() as connection:
            found = table.claim(connection, name, fingerprint)
            assert not isinstance(found, Full)
            return found

    def keep(self, table: KeyTable, answer: Answer = DONE, name: Name = NAME) -> None:
        with self.engine.begin() as connection:
            table.keep(connection, name, answer)

    def free(self, table: KeyTable) -> None:
        with self.engine.begin() as connection:
            table.free(connection, NAME)

    def count(self) -> int:
        with self.engine.begin() as connection:
            return connection.execute(select(func.count()).select_from(keys)).scalar_one()


@pytest.fixture
def workers(tmp_path: Path) -> Iterator[Workers]:
    engine = open_blocking(f"sqlite:///{tmp_path / 'plugin.db'}")
    place_database(tmp_path / "plugin.db")
    yield Workers(engine)
    engine.dispose()


def test_the_first_one_has_it_and_its_answer_comes_back_as_it_was(workers: Workers) -> None:
    assert workers.claim(workers.a) is None
    assert workers.claim(workers.b) == Entry(SAME, "a", None)
    workers.keep(workers.a)
    assert workers.claim(workers.b, OTHER) == Entry(SAME, None, DONE)
    assert workers.claim(workers.a) == Entry(SAME, None, DONE)
    other_caller = Name("key_b", NAME.key)
    assert workers.claim(workers.b, name=other_caller) is None


def test_nobody_ends_what_another_one_runs(workers: Workers) -> None:
    workers.claim(workers.a)
    workers.free(workers.b)
    workers.keep(workers.b)
    assert workers.claim(workers.b) == Entry(SAME, "a", None)
    workers.free(workers.a)
    assert workers.claim(workers.b, OTHER) is None
    workers.keep(workers.b)
    workers.free(workers.b)
    assert workers.claim(workers.a) == Entry(OTHER, None, DONE)


def test_what_a_dead_one_ran_is_free_and_what_it_answered_is_not(workers: Workers) -> None:
    workers.claim(workers.a)
    workers.alive.discard("a")
    assert workers.claim(workers.b, OTHER) is None
    workers.keep(workers.b)
    workers.alive.clear()
    assert workers.claim(workers.a) == Entry(OTHER, None, DONE)


def test_what_is_ours_and_forgotten_is_free(workers: Workers) -> None:
    workers.claim(workers.a)
    assert workers.claim(workers.a, OTHER) is None
    assert workers.claim(workers.b) == Entry(OTHER, "a", None)


def test_an_answer_has_its_time_and_a_running_call_all_it_takes(workers: Workers) -> None:
    workers.claim(workers.a)
    workers.now += 1_000
    assert workers.claim(workers.b) == Entry(SAME, "a", None)
    workers.keep(workers.a)
    assert workers.claim(workers.b, OTHER) is None
    workers.keep(workers.b)
    workers.now += 99
    assert workers.claim(workers.a) == Entry(OTHER, None, DONE)
    workers.now += 1
    assert workers.claim(workers.a) is None


def test_what_is_kept_for_a_caller_is_counted(workers: Workers) -> None:
    for number in range(3):
        name = Name("key_a", str(number))
        workers.claim(workers.a, name=name)
        workers.keep(workers.a, Answer(200, (), b"12345"), name)
    workers.claim(workers.a, name=Name("key_b", "x"))
    with workers.engine.begin() as connection:
        assert workers.a.held(connection, "key_a") == 3
        assert workers.a.held(connection, "key_b") == 1
        assert workers.a.held(connection, "key_c") == 0


def test_the_old_ones_are_removed_but_not_under_a_running_call(workers: Workers) -> None:
    for number in range(600):
        workers.claim(workers.a, name=Name("key_a", str(number)))
        workers.keep(workers.a, name=Name("key_a", str(number)))
    workers.claim(workers.a)
    workers.claim(workers.b, name=Name("key_b", "of a dead one"))
    workers.now += 50
    workers.claim(workers.a, name=Name("key_a", "young"))
    workers.keep(workers.a, name=Name("key_a", "young"))
    workers.now += 50
    workers.alive.discard("b")
    with workers.engine.begin() as connection:
        assert workers.a.sweep(connection)
        assert not workers.a.sweep(connection)
    assert workers.count() == 2
    assert workers.claim(workers.b) == Entry(SAME, "a", None)
