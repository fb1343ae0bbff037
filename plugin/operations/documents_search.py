"""Ranked full-text search in a caller's own documents, by SQLite's FTS5.

FTS5 weighs a word by its rarity in the whole table. For one caller among many that is wrong (a word
in each of his documents may be rare in all), and it would tell him of others' documents. So each
phrase is weighed here by its rarity among the caller's chunks, and FTS5's weight is divided out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log
from typing import Any

from sqlalchemy import ColumnElement, Integer, Numeric, column, func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from plugin.operations.documents_store import document_chunks, documents, namespace
from plugin.operations.documents_words import Phrase, phrases

_TITLE_COUNTS = 2.0
_SIDE_BY_SIDE_COUNTS = 0.6
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


async def search(
    connection: AsyncConnection, caller_id: str, question: str, wanted: Filter, most: int
) -> Sequence[Mapping[Any, Any]]:
    """The best chunks of the caller's documents, best first: columns of both, and a score."""
    matches = [_match(phrase, namespace(caller_id)) for phrase in phrases(question)]
    if not matches:
        return []
    weights = await _weights(connection, caller_id, matches)
    if not weights:
        return []
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
        select(documents, document_chunks.c.text, document_chunks.c.position, score.label("score"))
        .select_from(hits)
        .join(document_chunks, document_chunks.c.serial == hits.c.chunk)
        .join(documents)
        .where(documents.c.caller_id == caller_id, *wanted.conditions())
        .group_by(hits.c.chunk)
        .order_by(score, hits.c.chunk)
        .limit(most)
    )
    return (await connection.execute(best)).mappings().all()


def _match(phrase: Phrase, mark: str) -> str:
    """A phrase in FTS5's language; a word holds no character that means something there."""
    quoted = " ".join(mark + word for word in phrase.words)
    return f'"{quoted}"*' if phrase.is_prefix else f'"{quoted}"'


async def _weights(
    connection: AsyncConnection, caller_id: str, matches: Sequence[str]
) -> dict[str, float]:
    """What each match counts, without those that the caller's documents do not hold."""
    counts = " UNION ALL ".join(
        f"SELECT {number}, count(*) FROM document_index WHERE document_index MATCH :match{number}"  # noqa: S608 - bound too
        for number in range(len(matches))
    )
    asked = text(counts).bindparams(**_numbered("match", matches))
    found = [(matches[number], count) for number, count in await connection.execute(asked) if count]
    own = select(func.sum(documents.c.chunk_count)).where(documents.c.caller_id == caller_id)
    mine = await connection.scalar(own) or 0
    everyone = await connection.scalar(select(func.count()).select_from(document_chunks)) or 0
    return {match: _weight(match, count, mine, everyone) for match, count in found}


def _weight(match: str, count: int, mine: int, everyone: int) -> float:
    rarity = log(1 + (max(mine, count) - count + 0.5) / (count + 0.5))
    divided_out = max(log((max(everyone, count) - count + 0.5) / (count + 0.5)), _LEAST_RARITY)
    return rarity / divided_out * (_SIDE_BY_SIDE_COUNTS if " " in match else 1.0)


def _numbered(name: str, values: Any) -> dict[str, Any]:
    return {f"{name}{number}": value for number, value in enumerate(values)}
