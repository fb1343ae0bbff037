import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from plugin.errors import CannotRun
from plugin.storage.database import (
    FAILURES,
    ChangeWatch,
    Commits,
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
def commits(url: str, other: sqlite3.Connection) -> Iterator[Commits]:  # noqa: ARG001 - it makes the tables
    commits = Commits(url)
    yield commits
    commits.close()


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


def test_a_commit_is_seen_by_the_next_look(commits: Commits, other: sqlite3.Connection) -> None:
    assert commits.version is None
    commits.look()
    seen = [commits.version]
    commits.look()
    assert commits.version == seen[0] is not None
    for _ in range(100):
        other.execute("INSERT INTO unrelated VALUES (1)")
        commits.look()
        seen.append(commits.version)
    assert len(set(seen)) == 101


def test_a_commit_is_seen_whatever_becomes_of_the_log(
    commits: Commits, other: sqlite3.Connection
) -> None:
    commits.look()
    for mode in ("PASSIVE", "FULL", "RESTART", "TRUNCATE"):
        for _ in range(2):
            before = commits.version
            other.execute("UPDATE changes SET value = value + 1")
            other.execute(f"PRAGMA wal_checkpoint({mode})")
            commits.look()
            assert commits.version != before


def test_a_write_that_is_not_committed_is_no_change(
    commits: Commits, other: sqlite3.Connection
) -> None:
    commits.look()
    before = commits.version
    other.execute("BEGIN")
    other.execute("UPDATE changes SET value = value + 1")
    commits.look()
    assert commits.version == before
    other.execute("COMMIT")
    commits.look()
    assert commits.version != before


def test_the_number_moves_with_what_it_counts(commits: Commits, other: sqlite3.Connection) -> None:
    watch = ChangeWatch(commits, "changes")
    assert watch.now() == 0
    for value in (1, 2):
        other.execute("UPDATE changes SET value = value + 1")
        assert watch.now() == value - 1, "not before the next look"
        commits.look()
        assert watch.now() == value
    other.execute("INSERT INTO unrelated VALUES (1)")
    commits.look()
    assert watch.now() == 2


def test_the_number_is_read_only_after_a_commit(
    commits: Commits, other: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = list[str]()
    ask = commits.ask

    def noting(question: str) -> object:
        asked.append(question)
        return ask(question)

    monkeypatch.setattr(commits, "ask", noting)
    watch = ChangeWatch(commits, "changes")
    for _ in range(3):
        commits.look()
        watch.now()
    assert len(asked) == 1
    other.execute("INSERT INTO unrelated VALUES (1)")
    commits.look()
    watch.now()
    assert len(asked) == 2


def test_it_does_not_wait_for_a_lock(
    url: str, other: sqlite3.Connection, caplog: pytest.LogCaptureFixture
) -> None:
    other.execute("PRAGMA journal_mode=DELETE")
    commits = Commits(url)
    other.execute("BEGIN EXCLUSIVE")
    for _ in range(3):
        commits.look()
    assert commits.version is None
    assert len(caplog.records) == 1
    with pytest.raises(FAILURES, match="locked"):
        ChangeWatch(commits, "changes").now()
    other.execute("ROLLBACK")
    commits.look()
    assert commits.version is not None
    commits.close()


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
