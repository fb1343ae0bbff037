import asyncio
import fcntl
import hashlib
import resource
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import delete, select

from plugin.errors import BodyTooLarge, InvalidRequest, NoSpace, NotFound
from plugin.gpt.file_sweep import GRACE
from plugin.gpt.files import Files, NewFile, Page, StoredFile, files, safe_name
from plugin.storage import migrate
from plugin.storage.database import open_database
from tests.pools.threads import some_threads

LIMIT = 1_000_000
NOTES = NewFile("notes.txt", "user_data")
EVERYTHING = Page(100)


class Clock:
    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        self.now += 0.001
        return self.now


class Store:
    """Files, and what lies around them."""

    def __init__(self, directory: Path) -> None:
        self.clock = Clock()
        self.folder = directory / "files"
        url = f"sqlite:///{directory / 'plugin.db'}"
        migrate.prepare(directory, url)
        self.database = open_database(url)
        self.files = Files(self.folder, LIMIT, self.database, some_threads(), self.clock)

    async def keep(self, content: bytes = b"any", new: NewFile = NOTES) -> StoredFile:
        async with self.files.incoming() as file:
            await asyncio.to_thread(file.write, content)
            return await self.files.add("me", new, file)

    def on_disk(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir()) if self.folder.exists() else []

    async def listed(self) -> list[str]:
        return [one.id for one in (await self.files.page("me", EVERYTHING))[0]]


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    made = Store(tmp_path)
    yield made
    await made.database.dispose()


async def test_row_and_bytes_and_their_hash(store: Store) -> None:
    stored = await store.keep(b"hello")
    assert store.on_disk() == [stored.id]
    async with store.database.connect() as connection:
        row = (await connection.execute(select(files))).mappings().one()
    assert row["sha256"] == hashlib.sha256(b"hello").hexdigest()
    assert (row["bytes"], row["caller_id"]) == (5, "me")


async def test_whoever_reads_reads_to_the_end(store: Store) -> None:
    stored = await store.keep(b"x" * 100_000)
    _, content = await store.files.open("me", stored.id)
    await store.files.delete("me", stored.id)
    with content:
        assert len(content.read()) == 100_000
    assert store.on_disk() == []


async def test_bytes_that_are_gone_are_a_file_that_is_gone(store: Store) -> None:
    stored = await store.keep()
    (store.folder / stored.id).unlink()
    with pytest.raises(NotFound):
        await store.files.open("me", stored.id)


async def test_nothing_remains_of_what_failed(store: Store) -> None:
    with pytest.raises(BodyTooLarge, match="PLUGIN_FILE_LIMIT"):
        await store.keep(b"x" * (LIMIT + 1))
    with pytest.raises(InvalidRequest):
        await store.keep(b"{", NewFile("train.jsonl", "fine-tune"))
    async with store.database.begin() as connection:
        await connection.exec_driver_sql("DROP TABLE files")
    with pytest.raises(Exception, match="no such table"):
        await store.keep()
    assert store.on_disk() == []


@contextmanager
def _small_disk(size: int) -> Iterator[None]:
    """No file may grow beyond `size`: what a full disk does to a write, this does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_a_full_disk_is_said_and_leaves_nothing(store: Store) -> None:
    before = await store.keep()
    with _small_disk(10_000), pytest.raises(NoSpace, match="PLUGIN_DATA_DIR"):
        await store.keep(b"x" * 500_000)
    assert store.on_disk() == [before.id]
    assert await store.listed() == [before.id]


async def test_a_crash_in_between_is_swept_at_the_next_start(store: Store) -> None:
    before = await store.keep()
    (store.folder / "coming-0123").write_bytes(b"half")
    (store.folder / "file-without-row").write_bytes(b"whole")
    assert await store.listed() == [before.id]
    await store.files.sweep()
    assert store.on_disk() == [before.id]


async def test_what_the_database_does_not_know_stays_in_a_trash_for_a_week(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    kept = await store.keep()
    async with store.database.begin() as connection:
        row = (await connection.execute(select(files))).mappings().one()
        await connection.execute(delete(files))
    await store.files.sweep()
    trash = store.folder.with_name("files-trash")
    assert [path.name for path in trash.iterdir()] == [kept.id]
    assert "1 moved to the trash" in caplog.text
    # a backup that knows the file is restored
    async with store.database.begin() as connection:
        await connection.execute(files.insert().values(**row))
    await store.files.sweep()
    assert store.on_disk() == [kept.id]
    await store.files.delete("me", kept.id)
    (store.folder / "file-lost").write_bytes(b"lost")
    await store.files.sweep()
    store.clock.now += GRACE - 1
    await store.files.sweep()
    assert [path.name for path in trash.iterdir()] == ["file-lost"]
    store.clock.now += 2
    await store.files.sweep()
    assert list(trash.iterdir()) == []


async def test_expired_files_are_deleted_while_the_service_runs(store: Store) -> None:
    await store.keep(new=NewFile("a", "user_data", expires_after=3600))
    store.clock.now += 3601
    await store.files.expire()
    assert store.on_disk() == []


async def test_a_sweep_leaves_alone_what_another_process_is_writing(store: Store) -> None:
    async with store.files.incoming() as file:
        await asyncio.to_thread(file.write, b"first half, ")
        await store.files.sweep()
        await asyncio.to_thread(file.write, b"second half")
        stored = await store.files.add("me", NOTES, file)
        await store.files.sweep()
    _, content = await store.files.open("me", stored.id)
    with content:
        assert content.read() == b"first half, second half"


async def test_the_lock_is_gone_with_the_upload(store: Store) -> None:
    stored = await store.keep()
    with (store.folder / stored.id).open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


async def test_a_file_expires(store: Store) -> None:
    stored = await store.keep(new=NewFile("a", "user_data", expires_after=3600))
    assert stored.expires_at == stored.created_at + 3600
    assert await store.listed() == [stored.id]
    store.clock.now += 3601
    assert await store.listed() == []
    with pytest.raises(NotFound):
        await store.files.get("me", stored.id)
    await store.files.sweep()
    assert store.on_disk() == []


async def test_ids_sort_as_files_came(store: Store) -> None:
    made = [(await store.keep(b"%d" % number)).id for number in range(20)]
    assert made == sorted(made)
    assert await store.listed() == made[::-1]


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("", "file"),
        ("/", "file"),
        ("...", "file"),
        ("a\r\nb\x00.txt", "ab.txt"),
        ("/a/../b", "b"),
        ("x" * 300, "x" * 255),
        ("x." + "y" * 300, "x." + "y" * 253),
        ("\ud800", "file"),
    ],
)
def test_safe_names(name: str, safe: str) -> None:
    assert safe_name(name) == safe
