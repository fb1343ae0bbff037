"""Files of the callers: a row and its bytes, both or neither; nobody sees another caller's."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import Any, BinaryIO

from sqlalchemy import BigInteger, Column, ColumnElement, Index, String, Table, delete, or_, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine

from plugin.errors import NoSpace, NotFound
from plugin.gpt.file_bytes import FileBytes, Incoming
from plugin.gpt.file_lines import check_lines
from plugin.gpt.file_sweep import sweep
from plugin.pools.threads import Threads
from plugin.storage.database import metadata
from plugin.storage.use import PER_FILE, Quota, check_written, quotas, used_now

PURPOSES = (
    "fine-tune",
    "fine-tune-results",
    "assistants",
    "batch",
    "vision",
    "user_data",
    "evals",
    # of the API as it was in 2022
    "search",
    "answers",
    "classifications",
)
LONGEST_NAME = 255
_MICROSECONDS = 1_000_000
_NO_QUOTA = quotas().files

files = Table(
    "files",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("caller_id", String(64), nullable=False),
    Column("filename", String(LONGEST_NAME), nullable=False),
    Column("purpose", String(32), nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger),
    Index("ix_files_caller_id_id", "caller_id", "id"),
)
"""Times are whole seconds since 1970. An id begins with its time: ids sort as files came."""


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file that is kept. `expires_at` None: until it is deleted."""

    id: str
    filename: str
    purpose: str
    bytes: int
    created_at: int
    expires_at: int | None


@dataclass(frozen=True, slots=True)
class NewFile:
    """What a caller says of a file that came; it expires after that many seconds, None: never."""

    filename: str
    purpose: str
    expires_after: int | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Which files to list: at most `limit`, beginning behind the file with the id `after`."""

    limit: int
    after: str | None = None
    purpose: str | None = None
    oldest_first: bool = False


class Files:
    """Keeps files: rows in the database, bytes in `folder`. `clock` is in seconds since 1970."""

    def __init__(
        self,
        folder: Path,
        limit: int,
        database: AsyncEngine,
        threads: Threads,
        clock: Callable[[], float],
        quota: Quota = _NO_QUOTA,
    ) -> None:
        self.threads = threads
        self._quota = quota
        self._bytes = FileBytes(folder, limit)
        self._database = database
        self._clock = clock

    @asynccontextmanager
    async def incoming(self) -> AsyncIterator[Incoming]:
        """A file to write into; unless it is added, nothing of it remains.

        When the service is stopped in between, its row may be on the way: the next start looks.
        """
        file = await self.threads.run(self._bytes.begin)
        try:
            yield file
        except Exception:
            await self.threads.run(file.drop)
            raise
        finally:
            file.close()

    async def check_quota(self, owner: str, announced: int) -> None:
        """Refuse a file of at least `announced` bytes before it is read; raises `QuotaUsedUp`.

        It spares the disk. What counts is the check in `add`.
        """
        if self._quota.limit:
            async with self._database.connect() as connection:
                self._quota.check(await used_now(connection, owner, self._quota.kind), announced)

    async def add(self, owner: str, new: NewFile, file: Incoming) -> StoredFile:
        """Keep what came for the caller `owner`.

        Raises `InvalidRequest` when its content does not fit its purpose, `NoSpace`, `QuotaUsedUp`.
        """
        await self.threads.run(_check, file, new.purpose)
        now = self._clock()
        stored = StoredFile(
            id=f"file-{int(now * _MICROSECONDS):014x}{token_hex(8)}",
            filename=safe_name(new.filename),
            purpose=new.purpose,
            bytes=file.size,
            created_at=int(now),
            expires_at=None if new.expires_after is None else int(now) + new.expires_after,
        )
        await self.threads.run(file.keep, stored.id)
        row = {name: getattr(stored, name) for name in StoredFile.__slots__}
        try:
            async with self._database.begin() as connection:
                await connection.execute(
                    files.insert().values(caller_id=owner, sha256=file.sha256, **row)
                )
                await check_written(connection, owner, self._quota, stored.bytes + PER_FILE)
        except OperationalError as error:
            if "full" in str(error.orig):
                raise NoSpace from error
            raise
        return stored

    async def page(self, owner: str, page: Page) -> tuple[list[StoredFile], bool]:
        """The files of a caller, and whether there are more behind them."""
        conditions = self._visible(owner)
        if page.purpose is not None:
            conditions.append(files.c.purpose == page.purpose)
        if page.after is not None:
            # Also a deleted file's id is a place to go on from: callers delete while they list.
            beyond = files.c.id > page.after if page.oldest_first else files.c.id < page.after
            conditions.append(beyond)
        order = files.c.id.asc() if page.oldest_first else files.c.id.desc()
        wanted = select(files).where(*conditions).order_by(order).limit(page.limit + 1)
        async with self._database.connect() as connection:
            rows = (await connection.execute(wanted)).mappings().all()
        return [_stored(row) for row in rows[: page.limit]], len(rows) > page.limit

    async def get(self, owner: str, name: str) -> StoredFile:
        """One file of a caller; raises `NotFound`."""
        wanted = select(files).where(*self._visible(owner), files.c.id == name)
        async with self._database.connect() as connection:
            row = (await connection.execute(wanted)).mappings().one_or_none()
        if row is None:
            raise _unknown(name)
        return _stored(row)

    async def open(self, owner: str, name: str) -> tuple[StoredFile, BinaryIO]:
        """A file of a caller and its bytes, to be closed by whoever asked; raises `NotFound`."""
        stored = await self.get(owner, name)
        try:
            return stored, await self.threads.run(self._bytes.open, stored.id)
        except FileNotFoundError:  # deleted since
            raise _unknown(name) from None

    async def delete(self, owner: str, name: str) -> None:
        """Delete a file of a caller; raises `NotFound`. Whoever reads it now reads to its end."""
        gone = delete(files).where(*self._visible(owner), files.c.id == name).returning(files.c.id)
        async with self._database.begin() as connection:
            found = (await connection.execute(gone)).scalar_one_or_none()
        if found is None:
            raise _unknown(name)
        await self.threads.run(self._bytes.remove, found)

    async def sweep(self) -> None:
        """Delete expired files, and set aside bytes without a row: see `file_sweep`."""
        await self.expire()
        await sweep(self._bytes, self._ids, self.threads, self._clock)

    async def expire(self) -> None:
        """Delete files whose time is over."""
        over = delete(files).where(files.c.expires_at <= self._clock()).returning(files.c.id)
        async with self._database.begin() as connection:
            expired = (await connection.execute(over)).scalars().all()
        for name in expired:
            await self.threads.run(self._bytes.remove, name)

    async def _ids(self) -> frozenset[str]:
        async with self._database.connect() as connection:
            return frozenset((await connection.execute(select(files.c.id))).scalars())

    def _visible(self, owner: str) -> list[ColumnElement[bool]]:
        alive = or_(files.c.expires_at.is_(None), files.c.expires_at > int(self._clock()))
        return [files.c.caller_id == owner, alive]


def safe_name(name: str) -> str:
    """The name of a file as it may be shown and offered for saving: no path, nothing unprintable.

    A name that is too long keeps its beginning and its ending.
    """
    bare = name.replace("\\", "/").rpartition("/")[2]
    shown = "".join(character for character in bare if character.isprintable()).strip()
    if shown.strip(".") == "":
        return "file"
    if len(shown) <= LONGEST_NAME:
        return shown
    stem, dot, ending = shown.rpartition(".")
    ending = dot + ending if stem and len(ending) <= 16 else ""  # noqa: PLR2004 - longer is no ending
    return shown[: LONGEST_NAME - len(ending)] + ending


def _check(file: Incoming, purpose: str) -> None:
    with file.reread() as content:
        check_lines(content, purpose)


def _stored(row: Mapping[Any, Any]) -> StoredFile:
    return StoredFile(**{name: row[name] for name in StoredFile.__slots__})


def _unknown(name: str) -> NotFound:
    return NotFound(
        f"No such File object: {name[:100]}. GET /v1/files lists the files of this key.", param="id"
    )
