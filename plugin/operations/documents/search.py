"""Ranked full-text search in a caller's own documents, by SQLite's FTS5.

FTS5 weighs a word by its rarity in the whole table. For one caller among many that is wrong (a word
in each of his documents may be rare in all), and it would tell him of others' documents. So each
phrase is weighed here by its rarity among the caller's chunks, and FTS5's weight is divided out.
What remains of others is the average length of a chunk, with which FTS5 compares each one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log
from typing import Any

from sqlalchemy import ColumnElement, Integer, Numeric, column, func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from plugin.operations.documents.store import document_chunks, documents, namespace
from plugin.operations.documents.words import Phrase, phrases

_TITLE_COUNTS = 2.0
_LEAST_RARITY = 1e-6  # FTS5's own floor, for what is in more than half of the rows


@dataclass(frozen=True, slots=True)
class Filter:
    """What a found document must be; times as they are stored, both ends included."""

    document_id: str | None = None
    source: str | None = None
    source_id: str | None = None
    author: str | None = None
    start: int | None = None
    end: int | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        """As SQL. Names are compared without case."""
        table = documents.c
        exact = [(table.id, self.document_id), (table.source_id, self.source_id)]
        named = [(table.source, self.source), (table.author, self.author)]
        found = [held == wanted for held, wanted in exact if wanted is not None]
        found += [
            func.lower(held) == func.lower(wanted) for held, wanted in named if wanted is not None
        ]
        if self.start is not None:
            found.append(table.created_at >= self.start)
        if self.end is not None:
            found.append(table.created_at <= self.end)
        return found


async def by_words(
    connection: AsyncConnection, caller_id: str, question: str, wanted: Filter, most: int
) -> dict[int, float]:
    """The serials of the caller's chunks with words of the question, best first, and a score."""
    asked = phrases(question)
    weights = await _weights(connection, caller_id, asked) if asked else {}
    if not weights:
        return {}
    parts = (
        "SELECT rowid AS chunk, "  # noqa: S608 - numbers of our own; what is asked for is bound
        f":weight{number} * bm25(document_index, {_TITLE_COUNTS}, 1.0) AS score "
        f"FROM document_index WHERE document_index MATCH :match{number}"
        for number in range(len(weights))
    )
    # Materialized, because SQLite cannot rank within a statement that it has joined to others.
    hits = (
        text(" UNION ALL ".join(parts))
        .bindparams(**_numbered("match", weights), **_numbered("weight", weights.values()))
        .columns(column("chunk", Integer), column("score", Numeric(asdecimal=False)))
        .cte("hits")
        .prefix_with("MATERIALIZED")
    )
    score = func.sum(hits.c.score)
    best = (
        select(hits.c.chunk, (-score).label("score"))
        .select_from(hits)
        .join(document_chunks, document_chunks.c.serial == hits.c.chunk)
        .join(documents)
        .where(documents.c.caller_id == caller_id, *wanted.conditions())
        .group_by(hits.c.chunk)
        .order_by(score, hits.c.chunk)
        .limit(most)
    )
    return {row.chunk: row.score for row in await connection.execute(best)}


async def fitting(
    connection: AsyncConnection, caller_id: str, wanted: Filter
) -> frozenset[int] | None:
    """The serials of the caller's chunks that are as wanted; None when all are."""
    conditions = wanted.conditions()
    if not conditions:
        return None
    fits = (
        select(document_chunks.c.serial)
        .join(documents)
        .where(documents.c.caller_id == caller_id, *conditions)
    )
    return frozenset((await connection.execute(fits)).scalars())


async def chunks(
    connection: AsyncConnection, caller_id: str, scores: Mapping[int, float]
) -> list[Mapping[Any, Any]]:
    """The caller's chunks with these serials, in their order: columns, and the score."""
    found = (
        select(documents, document_chunks.c.serial.label("chunk"), document_chunks.c.text)
        .add_columns(document_chunks.c.position)
        .join(document_chunks)
        .where(documents.c.caller_id == caller_id, document_chunks.c.serial.in_(scores))
    )
    rows = {row["chunk"]: row for row in (await connection.execute(found)).mappings()}
    return [{**rows[one], "score": score} for one, score in scores.items() if one in rows]


def _match(phrase: Phrase, mark: str) -> str:
    """A phrase in FTS5's language; a word holds no character that means something there."""
    quoted = " ".join(mark + word for word in phrase.words)
    return f'"{quoted}"*' if phrase.is_prefix else f'"{quoted}"'


async def _weights(
    connection: AsyncConnection, caller_id: str, asked: Sequence[Phrase]
) -> dict[str, float]:
    """What the match of each phrase counts, without those that no document of the caller holds."""
    matches = [_match(phrase, namespace(caller_id)) for phrase in asked]
    statement = text(
        " UNION ALL ".join(
            f"SELECT {number}, count(*) FROM document_index "  # noqa: S608 - bound as well
            f"WHERE document_index MATCH :match{number}"
            for number in range(len(matches))
        )
    )
    counts = await connection.execute(statement.bindparams(**_numbered("match", matches)))
    own = select(func.sum(documents.c.chunk_count)).where(documents.c.caller_id == caller_id)
    mine = await connection.scalar(own) or 0
    everyone = await connection.scalar(select(func.count()).select_from(document_chunks)) or 0
    return {
        matches[number]: asked[number].weight
        * _rarity(count, mine)
        / _rarity_to_fts5(count, everyone)
        for number, count in counts
        if count
    }


def _rarity(count: int, among: int) -> float:
    # A store between two of our questions may have made `count` the greater.
    return log(1 + (max(among, count) - count + 0.5) / (count + 0.5))


def _rarity_to_fts5(count: int, among: int) -> float:
    return max(log((max(among, count) - count + 0.5) / (count + 0.5)), _LEAST_RARITY)


def _numbered(name: str, values: Any) -> dict[str, Any]:
    return {f"{name}{number}": value for number, value in enumerate(values)}
