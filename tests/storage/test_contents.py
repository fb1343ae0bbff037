from pathlib import Path

import pytest
from sqlalchemy import text

from plugin.storage.contents import ContentsOf
from plugin.storage.database import open_blocking


@pytest.fixture
def url(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path / 'plugin.db'}"
    _do(url, "CREATE TABLE notes (text TEXT)", 'CREATE TABLE "odd ""name" (n INTEGER)')
    _do(url, "CREATE TABLE uses (n INTEGER)", "INSERT INTO notes VALUES ('one')")
    return url


def _do(url: str, *statements: str) -> None:
    engine = open_blocking(url)
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()


@pytest.mark.parametrize(
    ("statement", "changes"),
    [
        ("INSERT INTO notes VALUES ('two')", True),
        ("UPDATE notes SET text = 'other'", True),
        ("DELETE FROM notes", True),
        ('INSERT INTO "odd ""name" VALUES (1)', True),
        ("CREATE TABLE more (n INTEGER)", True),
        ("UPDATE notes SET text = text", False),
        ("INSERT INTO uses VALUES (1)", False),
        ("CREATE VIRTUAL TABLE found USING fts5(words)", False),
        ("SELECT 1", False),
    ],
)
def test_a_change_is_seen_and_nothing_else(url: str, statement: str, changes: bool) -> None:
    with ContentsOf(url, leave_out={"uses"}) as contents:
        before = contents()
        assert before["notes"][0] == 1
        assert contents() == before
        _do(url, statement)
        assert (contents() != before) is changes


def test_what_was_changed_back_is_as_it_was(url: str) -> None:
    with ContentsOf(url) as contents:
        before = contents()
        _do(url, "INSERT INTO notes VALUES ('two')")
        _do(url, "DELETE FROM notes WHERE text = 'two'")
        assert contents() == before
