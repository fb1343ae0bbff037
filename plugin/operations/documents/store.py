"""The tables of documents and their chunks: stored as a whole or not at all, and read back."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Any

import orjson
from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Integer,
    String,
    Table,
    UniqueConstraint,
    select,
    text,
)
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from plugin.operations.documents.chunking import chunks
from plugin.operations.documents.vectors import Made, mark_changed, put
from plugin.operations.documents.words import words
from plugin.storage.database import metadata
from plugin.storage.use import PER_DOCUMENT, Quota, check_written

LONGEST_ID = 128
LONGEST_TITLE = 200
LONGEST_SOURCE = 100
LONGEST_SOURCE_ID = 200
LONGEST_URL = 1000
LONGEST_AUTHOR = 200

documents = Table(
    "documents",
    metadata,
    Column("serial", Integer, primary_key=True),
    Column("caller_id", String(64), nullable=False),
    Column("id", String(LONGEST_ID), nullable=False),
    Column("title", String(LONGEST_TITLE)),
    Column("source", String(LONGEST_SOURCE)),
    Column("source_id", String(LONGEST_SOURCE_ID)),
    Column("url", String(LONGEST_URL)),
    Column("author", String(LONGEST_AUTHOR)),
    Column("created_at", BigInteger),
    Column("updated_at", BigInteger, nullable=False),
    Column("chunk_count", Integer, nullable=False),
    Column("bytes", BigInteger, nullable=False, server_default="0"),
    UniqueConstraint("caller_id", "id"),
)
"""Times are microseconds since 1970, in UTC. `bytes` is what a document counts of the quota."""

document_chunks = Table(
    "document_chunks",
    metadata,
    Column("serial", Integer, primary_key=True),
    Column(
        "document_serial",
        Integer,
        ForeignKey("documents.serial", ondelete="CASCADE"),
        nullable=False,
    ),
    Column("position", Integer, nullable=False),
    Column("text", String, nullable=False),
    Column("heading", String, nullable=False),
    Column("body", String, nullable=False),
    UniqueConstraint("document_serial", "position"),
)
"""The chunks of a document, joined, are its text; heading and body are what the index is fed.

The migration makes the index, the virtual table `document_index`, and the triggers that keep it.
"""

_CHUNK = ("position", "text", "heading", "body")
_INSERT_CHUNKS = text(
    "INSERT INTO document_chunks (document_serial, position, text, heading, body) "
    "SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4 "
    "FROM json_each(:rows)"
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class NewDocument:
    """A document to store; `about` holds the columns that describe it."""

    id: str
    text: str
    about: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Prepared:
    """A document as its rows: made off the event loop, for a long text takes its time."""

    document: Mapping[str, Any]
    chunks: Sequence[Mapping[str, Any]]


def stamp(moment: datetime) -> int:
    """A point in time as it is stored."""
    return (moment - _EPOCH) // _MICROSECOND


def moment(stamp: int) -> datetime:
    """A stored point in time."""
    return _EPOCH + stamp * _MICROSECOND


def namespace(caller_id: str) -> str:
    """What each word of a caller begins with in the index, so that it is found by nobody else.

    It is ten digits: to Porter's stemmer they are consonants before the word, which change no stem.
    """
    number = int.from_bytes(blake2b(caller_id.encode(), digest_size=8).digest(), "big")
    return f"{number % 10**10:010d}"


def prepare(caller_id: str, new: Iterable[NewDocument], now: datetime) -> list[Prepared]:
    """The rows of documents; of several with one id the last counts."""
    mark = namespace(caller_id)
    latest = {document.id: document for document in new}
    return [_prepare(caller_id, mark, document, now) for document in latest.values()]


def _prepare(caller_id: str, mark: str, new: NewDocument, now: datetime) -> Prepared:
    heading = _indexed(new.about.get("title") or "", mark)
    parts = [
        {"position": position, "text": part, "heading": heading, "body": _indexed(part, mark)}
        for position, part in enumerate(chunks(new.text))
    ]
    row = {
        **new.about,
        "id": new.id,
        "caller_id": caller_id,
        "updated_at": stamp(now),
        "chunk_count": len(parts),
        "bytes": PER_DOCUMENT + len(new.text.encode()) + _length(new.about),
    }
    return Prepared(row, parts)


def _length(about: Mapping[str, Any]) -> int:
    return sum(len(value.encode()) for value in about.values() if isinstance(value, str))


def _indexed(text: str, mark: str) -> str:
    return " ".join(mark + word for word in words(text))


async def replace(
    database: AsyncEngine,
    prepared: Sequence[Prepared],
    made: Made | None = None,
    quota: Quota | None = None,
) -> set[str]:
    """Store documents, all or none, in place of those with their ids; gives the ids there were.

    All belong to one caller. What is `made` already are the vectors of their chunks.
    Raises `QuotaUsedUp`.
    """
    caller_id = prepared[0].document["caller_id"]
    ids = [one.document["id"] for one in prepared]
    # The first statement writes: the lock is taken before anything is read.
    gone = (
        documents.delete()
        .where(documents.c.caller_id == caller_id, documents.c.id.in_(ids))
        .returning(documents.c.id, documents.c.bytes)
    )
    more = sum(one.document["bytes"] for one in prepared)
    async with database.begin() as connection:
        replaced = {row.id: row.bytes for row in await connection.execute(gone)}
        await mark_changed(connection, [caller_id])
        serials = await _insert(connection, prepared)
        if made is not None:
            vectors = await _vectors(connection, serials, made)
            await put(connection, made.model, vectors)
        if quota is not None:
            written = more - sum(replaced.values())
            await check_written(connection, caller_id, quota, written)
    return set(replaced)


async def _insert(connection: AsyncConnection, prepared: Sequence[Prepared]) -> dict[str, int]:
    """Insert documents with their chunks; return the serials of the documents by id.

    The chunks come in one statement, which SQLite carries out without Python's lock: row by row,
    others would wait for the database several times as long.
    """
    new = documents.insert().returning(documents.c.id, documents.c.serial)
    made = await connection.execute(new, [dict(one.document) for one in prepared])
    serials = {row.id: row.serial for row in made}
    rows = [
        (serials[one.document["id"]], *(chunk[name] for name in _CHUNK))
        for one in prepared
        for chunk in one.chunks
    ]
    await connection.execute(_INSERT_CHUNKS, {"rows": orjson.dumps(rows).decode()})
    return serials


async def _vectors(
    connection: AsyncConnection, serials: Mapping[str, int], made: Made
) -> dict[int, bytes]:
    """Return the vectors of inserted chunks by the serials of the chunks."""
    chunk = document_chunks.c
    wanted = select(chunk.serial, chunk.document_serial, chunk.position)
    found = await connection.execute(wanted.where(chunk.document_serial.in_(serials.values())))
    ids = {serial: document_id for document_id, serial in serials.items()}
    return {row.serial: made.vectors[ids[row.document_serial]][row.position] for row in found}


async def find(
    database: AsyncEngine, caller_id: str, document_id: str
) -> tuple[Mapping[Any, Any], str] | None:
    """The row of a caller's document, and its text."""
    mine = documents.c.caller_id == caller_id, documents.c.id == document_id
    parts = (
        select(document_chunks.c.text)
        .join(documents)
        .where(*mine)
        .order_by(document_chunks.c.position)
    )
    async with database.connect() as connection:
        row = (await connection.execute(select(documents).where(*mine))).mappings().one_or_none()
        texts = (await connection.execute(parts)).scalars().all()
    return None if row is None else (row, "".join(texts))


async def remove(
    database: AsyncEngine, caller_id: str, document_id: str
) -> Mapping[Any, Any] | None:
    """Delete a caller's document with its chunks; gives what its row was."""
    gone = (
        documents.delete()
        .where(documents.c.caller_id == caller_id, documents.c.id == document_id)
        .returning(documents)
    )
    async with database.begin() as connection:
        row = (await connection.execute(gone)).mappings().one_or_none()
        if row is not None:
            await mark_changed(connection, [caller_id])
    return row
