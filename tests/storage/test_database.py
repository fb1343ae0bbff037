import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from plugin.errors import CannotRun
from plugin.storage.database import (
    FAILURES,
    ChangeWatch,
    open_blocking,
    open_database,
    sqlite_path,
    will_pass,
)


@pytest.fixture
def other(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """Another connection, such as another process holds."""
    connection = sqlite3.connect(tmp_path / "plugin.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("CREATE TABLE changes (value INTEGER)")
    connection.execute("INSERT INTO changes VALUES (0)")
    connection.execute("CREATE TABLE unrelated (value INTEGER)")
    yield connection
    connection.close()


@pytest.fixture
def watch(url: str, other: sqlite3.Connection) -> Iterator[ChangeWatch]:  # noqa: ARG001 - it makes the tables
    watch = ChangeWatch(url, "changes")
    yield watch
    watch.close()


async def test_sqlite_is_prepared_for_several_processes(url: str) -> None:
    engine = open_database(url)
    async with engine.connect() as connection:
        found = [
            (await connection.execute(text(f"PRAGMA {name}"))).scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        ]
    await engine.dispose()
    assert found == ["wal", 1, 1, 5000]


def test_the_blocking_one_is_the_same_database(url: str) -> None:
    engine = open_blocking(url, wait=0)
    with engine.connect() as connection:
        assert connection.execute(text("PRAGMA journal_mode")).scalar_one() == "wal"
        assert connection.execute(text("PRAGMA busy_timeout")).scalar_one() == 0
    engine.dispose()


def test_another_database_is_refused_in_words() -> None:
    with pytest.raises(CannotRun, match="PLUGIN_DATABASE_URL"):
        sqlite_path("postgresql://localhost/plugin")


def test_the_first_look_is_a_change(watch: ChangeWatch) -> None:
    settle = watch.moved()
    assert settle is not None
    settle()
    assert watch.moved() is None


def test_a_change_stays_until_it_has_been_read(
    watch: ChangeWatch, other: sqlite3.Connection
) -> None:
    _settle(watch)
    other.execute("UPDATE changes SET value = value + 1")
    assert watch.moved() is not None
    _settle(watch)
    assert watch.moved() is None


def test_other_writes_are_no_change(watch: ChangeWatch, other: sqlite3.Connection) -> None:
    _settle(watch)
    other.execute("INSERT INTO unrelated VALUES (1)")
    assert watch.moved() is None


def test_it_does_not_wait_for_a_lock(url: str, other: sqlite3.Connection) -> None:
    other.execute("PRAGMA journal_mode=DELETE")
    watch = ChangeWatch(url, "changes")
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        watch.moved()
    other.execute("ROLLBACK")
    assert watch.moved() is not None
    watch.close()


def _settle(watch: ChangeWatch) -> None:
    settle = watch.moved()
    assert settle is not None
    settle()


@pytest.mark.parametrize(
    ("statement", "passing"),
    [("INSERT INTO counter VALUES (2)", True), ("INSERT INTO nothing VALUES (1)", False)],
)
def test_a_locked_database_is_told_from_a_mistake(url: str, statement: str, passing: bool) -> None:
    engine = open_blocking(url, wait=0)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE counter (value INTEGER)"))
    with engine.connect() as writer:
        writer.execute(text("INSERT INTO counter VALUES (1)"))
        with engine.connect() as other, pytest.raises(FAILURES) as failed:
            other.execute(text(statement))
        writer.rollback()
    engine.dispose()
    assert will_pass(failed.value) is passing
    assert not will_pass(ValueError("no failure of a database"))
