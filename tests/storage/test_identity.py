"""A database and a data directory that do not belong together are refused; nothing is changed."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text

from plugin.errors import CannotRun
from plugin.storage import identity, migrate
from plugin.storage.database import open_blocking


def url_of(path: Path) -> str:
    return f"sqlite:///{path}"


def upload(directory: Path, name: str, url: str | None = None) -> None:
    """Put an uploaded file into a directory, and its row into the database of `url`."""
    folder = directory / identity.UPLOADS
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(b"content")
    if url is not None:
        engine = open_blocking(url)
        row = (
            "INSERT INTO files (id, caller_id, filename, purpose, bytes, sha256, created_at) "
            "VALUES (:id, 'key_a', 'a.txt', 'assistants', 7, '', 0)"
        )
        with engine.begin() as connection:
            connection.execute(text(row), {"id": name})
        engine.dispose()


def mark(directory: Path) -> str:
    return (directory / identity.FILE).read_text().strip()


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, str]:
    """A directory with an upload, and the database that knows it."""
    directory, url = tmp_path / "data", url_of(tmp_path / "one.db")
    migrate.prepare(directory, url)
    upload(directory, "file-1", url)
    return directory, url


def test_a_new_pair_gets_one_identity_that_stays(tmp_path: Path) -> None:
    directory, url = tmp_path / "data", url_of(tmp_path / "one.db")
    migrate.prepare(directory, url)
    given = mark(directory)
    migrate.prepare(directory, url)
    assert mark(directory) == given
    assert (directory / identity.FILE).stat().st_mode & 0o777 == 0o600


def test_a_directory_of_another_host_takes_the_identity_of_the_database(
    pair: tuple[Path, str], tmp_path: Path
) -> None:
    directory, url = pair
    migrate.prepare(tmp_path / "host2", url)
    assert mark(tmp_path / "host2") == mark(directory)


def test_a_new_database_is_refused_where_there_are_uploads(
    pair: tuple[Path, str], tmp_path: Path
) -> None:
    directory, _ = pair
    with pytest.raises(CannotRun, match=r"does not know the uploaded file.*plugin storage adopt"):
        migrate.prepare(directory, url_of(tmp_path / "other.db"))
    assert (directory / "files" / "file-1").exists()
    assert not (tmp_path / "other.db").exists()


def test_an_older_database_of_another_service_is_refused_before_it_is_migrated(
    pair: tuple[Path, str], tmp_path: Path
) -> None:
    directory, _ = pair
    other = tmp_path / "other.db"
    with closing(sqlite3.connect(other)) as connection:
        connection.execute("CREATE TABLE alembic_version (version_num)")
        connection.execute("INSERT INTO alembic_version VALUES ('0006')")
        connection.execute("CREATE TABLE model_calls (serial)")
        connection.commit()
    with pytest.raises(CannotRun, match="plugin storage adopt"):
        migrate.prepare(directory, url_of(other))
    assert migrate.current(other) == "0006"


def test_another_database_is_refused_and_both_identities_are_named(
    pair: tuple[Path, str], tmp_path: Path
) -> None:
    directory, _ = pair
    other = url_of(tmp_path / "other.db")
    migrate.prepare(tmp_path / "elsewhere", other)
    with pytest.raises(CannotRun) as refused:
        migrate.prepare(directory, other)
    assert mark(directory) in refused.value.detail
    assert mark(tmp_path / "elsewhere") in refused.value.detail


def test_a_restored_database_belongs_to_its_directory(
    pair: tuple[Path, str], tmp_path: Path
) -> None:
    directory, url = pair
    saved = tmp_path / "saved.db"
    shutil.copy(tmp_path / "one.db", saved)
    upload(directory, "file-2", url)
    migrate.prepare(directory, url_of(saved))


@pytest.mark.parametrize("without", ["directory", "database", "both"])
def test_a_pair_from_before_there_were_identities_gets_one(
    pair: tuple[Path, str], without: str
) -> None:
    directory, url = pair
    if without != "database":
        (directory / identity.FILE).unlink()
    if without != "directory":
        engine = open_blocking(url)
        with engine.begin() as connection:
            connection.execute(text("DELETE FROM storage_identity"))
        engine.dispose()
    migrate.prepare(directory, url)
    given = mark(directory)
    migrate.prepare(directory, url)
    assert mark(directory) == given


@pytest.mark.parametrize(
    ("known", "unknown", "joins"),
    [
        *((1, 0, True), (0, 1, False), (1, 1, True), (1, 2, False), (2, 7, False)),
        *((18, 2, True), (17, 3, False), (30, 3, True), (30, 4, False)),
    ],
)
def test_without_an_identity_the_database_must_know_the_uploads(
    tmp_path: Path, *, known: int, unknown: int, joins: bool
) -> None:
    directory, url = tmp_path / "data", url_of(tmp_path / "one.db")
    migrate.prepare(directory, url)
    for number in range(known):
        upload(directory, f"file-{number}", url)
    for number in range(unknown):
        upload(directory, f"file-of-another-{number}")
    (directory / identity.FILE).unlink()
    if joins:
        migrate.prepare(directory, url)
        return
    some = "the uploaded file" if known + unknown == 1 else f"{unknown} of the {known + unknown}"
    with pytest.raises(CannotRun, match=f"does not know {some}"):
        migrate.prepare(directory, url)
    assert not (directory / identity.FILE).exists()


def test_a_damaged_identity_is_refused_and_can_be_adopted(pair: tuple[Path, str]) -> None:
    directory, url = pair
    before = mark(directory)
    (directory / identity.FILE).write_text("?")
    with pytest.raises(CannotRun, match="is damaged"):
        migrate.prepare(directory, url)
    assert identity.adopt(directory, url) == ("?", before)
    migrate.prepare(directory, url)


def test_after_it_was_adopted_a_directory_belongs_to_its_new_database(
    pair: tuple[Path, str], tmp_path: Path
) -> None:
    directory, old = pair
    other = url_of(tmp_path / "other.db")
    migrate.prepare(tmp_path / "elsewhere", other)
    identity.adopt(directory, other)
    migrate.prepare(directory, other)
    with pytest.raises(CannotRun, match="belongs to another database"):
        migrate.prepare(directory, old)


def test_other_users_cannot_read_the_database(tmp_path: Path) -> None:
    file = tmp_path / "open" / "plugin.db"
    file.parent.mkdir()
    migrate.prepare(tmp_path / "data", url_of(file))
    parts = [file, *(file.with_name(f"plugin.db-{part}") for part in ("wal", "shm"))]
    for path in parts:
        path.touch()
        path.chmod(0o644)
    migrate.make_ready(tmp_path / "data", url_of(file))
    assert {path.stat().st_mode & 0o777 for path in parts if path.exists()} == {0o600}
