"""The tables of chunks' vectors, and how they are written; a chunk takes its vector with it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import BigInteger, Column, ForeignKey, Integer, LargeBinary, String, Table, select
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from plugin.storage.database import metadata

LONGEST_MODEL = 200
FLOAT = 4
"""Bytes of a number in a vector."""

document_vectors = Table(
    "document_vectors",
    metadata,
    Column(
        "chunk_serial",
        Integer,
        ForeignKey("document_chunks.serial", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
    ),
    Column("model", String(LONGEST_MODEL), nullable=False),
    Column("vector", LargeBinary, nullable=False),
)
"""Vectors are float32, little-endian, of length one; empty where the model reads no such text."""

document_vector_changes = Table(
    "document_vector_changes",
    metadata,
    Column("caller_id", String(64), primary_key=True),
    Column("value", Integer, nullable=False),
)
"""Moves with every change of a caller's chunks or vectors, so that what is held can be told old."""

document_filling = Table(
    "document_filling",
    metadata,
    Column("until", BigInteger, primary_key=True, autoincrement=False),
)
"""One row: until when (milliseconds since 1970) one process alone makes what is missing."""


@dataclass(frozen=True, slots=True)
class Made:
    """Vectors of a model for the chunks of some documents: by document id, in the chunks' order."""

    model: str
    vectors: Mapping[str, list[bytes]]


def about(title: str | None, text: str) -> str:
    """What the vector of a chunk is made of."""
    return f"{title}\n{text}" if title else text


async def put(connection: AsyncConnection, model: str, made: Mapping[int, bytes]) -> None:
    """Write the vectors of chunks, over those of another model."""
    rows = [
        {"chunk_serial": serial, "model": model, "vector": vector}
        for serial, vector in made.items()
    ]
    if rows:
        new = insert(document_vectors)
        over = {"model": new.excluded.model, "vector": new.excluded.vector}
        await connection.execute(new.on_conflict_do_update(["chunk_serial"], set_=over), rows)


async def mark_changed(connection: AsyncConnection, caller_ids: Iterable[str]) -> None:
    """Say that what is held of these callers is old."""
    rows = [{"caller_id": one, "value": 1} for one in sorted(set(caller_ids))]
    if rows:
        moved = insert(document_vector_changes).on_conflict_do_update(
            ["caller_id"], set_={"value": document_vector_changes.c.value + 1}
        )
        await connection.execute(moved, rows)


async def changes(connection: AsyncConnection, caller_id: str) -> int:
    """A number that moves when the caller's vectors change."""
    table = document_vector_changes.c
    return await connection.scalar(select(table.value).where(table.caller_id == caller_id)) or 0
