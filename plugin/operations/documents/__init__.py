"""Documents: texts that a caller stores, finds again by what they say, reads and deletes."""

from collections.abc import Iterator, Mapping, Sequence
from secrets import token_hex
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request

from plugin.errors import NotFound
from plugin.operations import CurrentCaller, Database, Now, Pools, operation
from plugin.operations.documents import store
from plugin.operations.documents.arguments import (
    Document,
    DocumentFilter,
    DocumentId,
    DocumentMetadata,
    QueryDocuments,
    ReadDocument,
    UpsertDocuments,
)
from plugin.operations.documents.meaning import Meaning
from plugin.operations.documents.ranking import Asked, best
from plugin.operations.documents.replies import (
    ChunkMetadata,
    DeletedDocument,
    FoundChunk,
    KnownMetadata,
    QueryResult,
    QueryResults,
    StoredDocument,
    UpsertedDocuments,
)
from plugin.operations.documents.search import Filter
from plugin.operations.reply_size import LARGEST_REPLY, cut, written
from plugin.operations.resources import Quotas

router = APIRouter(prefix="/documents", tags=["documents"])

IdInPath = Annotated[
    DocumentId,
    Path(
        description="The id of the document, as upsert_documents or query_documents returned it.",
        examples=["refunds"],
    ),
]


async def _meaning(request: Request) -> Meaning | None:
    meaning: Meaning | None = request.app.state.services.meaning
    return meaning


ByMeaning = Annotated[Meaning | None, Depends(_meaning)]
"""Vectors of what is stored and asked; None where words alone count."""


@router.post("", operation_id="upsert_documents", summary="Store documents")
@operation(scope="documents:write")
async def upsert_documents(  # noqa: PLR0913, PLR0917 - each is a dependency
    body: UpsertDocuments,
    caller: CurrentCaller,
    database: Database,
    now: Now,
    meaning: ByMeaning,
    pools: Pools,
    quotas: Quotas,
) -> UpsertedDocuments:
    """Store texts with what is known about them, to find them again with query_documents.

    A document whose id is known already is replaced as a whole.
    """
    new = [_new(document) for document in body.documents]
    async with pools.heavy.turn():
        prepared = await pools.documents.run(store.prepare, caller.id, new, now)
        made = await meaning.of_stored(prepared) if meaning else None
        replaced = await store.replace(database, prepared, made, quotas.documents)
    if meaning and made is None:
        meaning.wake()
    count, parts = len(prepared), sum(len(one.chunks) for one in prepared)
    said = f"Stored {_counted(count, 'document')} in {_counted(parts, 'chunk')}; "
    if count == 1:
        said += "it replaces one with its id." if replaced else "it is new."
    else:
        said += f"{count - len(replaced)} new, {len(replaced)} replaced."
    return UpsertedDocuments(ids=[one.id for one in new], message=said)


@router.post("/query", operation_id="query_documents", summary="Search the stored documents")
@operation(scope="documents:read", reads=True)
async def query_documents(
    body: QueryDocuments,
    caller: CurrentCaller,
    database: Database,
    meaning: ByMeaning,
    pools: Pools,
) -> QueryResults:
    """Find the parts of the stored documents that answer questions, best first.

    Part a complex question into several queries. If nothing is found, ask with other words.
    """
    questions = [asked.query for asked in body.queries]
    found: list[Sequence[Mapping[Any, Any]]] = []
    async with pools.heavy.turn():
        vectors = await meaning.of_questions(questions) if meaning else {}
        async with database.connect() as connection:
            for one in body.queries:
                vector = vectors.get(one.query)
                asked = Asked(one.query, _filter(one.filter), one.top_k, vector)
                found.append(await best(connection, caller.id, asked, meaning))
    return _results(questions, [[_chunk(row) for row in rows] for rows in found])


@router.get("/{document_id}", operation_id="get_document", summary="Read a stored document")
@operation(scope="documents:read", raises=(NotFound,))
async def get_document(
    document_id: IdInPath,
    query: Annotated[ReadDocument, Query()],
    caller: CurrentCaller,
    database: Database,
) -> StoredDocument:
    """Read the text of a document and what is known about it; a long text comes in parts."""
    found = await store.find(database, caller.id, document_id)
    if found is None:
        raise _unknown(document_id)
    row, text = found
    document = StoredDocument(
        id=row["id"],
        text="",
        metadata=KnownMetadata(**_known(row)),
        updated_at=store.moment(row["updated_at"]),
        next_start=None,
        note=None,
    )
    document.text = cut(text[query.start :], LARGEST_REPLY - written(document))
    end = query.start + len(document.text)
    if end < len(text):
        document.next_start = end
        document.note = (
            f"This is a part of {len(text)} characters. Call get_document with start={end} for "
            "what follows."
        )
    return document


@router.delete("/{document_id}", operation_id="delete_document", summary="Delete a document")
@operation(scope="documents:write", consequential=True, raises=(NotFound,))
async def delete_document(
    document_id: IdInPath, caller: CurrentCaller, database: Database
) -> DeletedDocument:
    """Delete a document for good. To change it, call upsert_documents with its id instead."""
    row = await store.remove(database, caller.id, document_id)
    if row is None:
        raise _unknown(document_id)
    title = f" ({row['title']})" if row["title"] else ""
    parts = _counted(row["chunk_count"], "chunk")
    return DeletedDocument(
        id=document_id, message=f"Deleted document {document_id}{title}, {parts}."
    )


def _new(document: Document) -> store.NewDocument:
    about = (document.metadata or DocumentMetadata()).model_dump()
    if about["created_at"] is not None:
        about["created_at"] = store.stamp(about["created_at"])
    return store.NewDocument(document.id or f"doc_{token_hex(8)}", document.text, about)


def _filter(asked: DocumentFilter | None) -> Filter:
    if asked is None:
        return Filter()
    return Filter(
        document_id=asked.document_id,
        source=asked.source,
        source_id=asked.source_id,
        author=asked.author,
        start=None if asked.start_date is None else store.stamp(asked.start_date),
        end=None if asked.end_date is None else store.stamp(asked.end_date),
    )


def _known(row: Mapping[Any, Any]) -> dict[str, Any]:
    created_at = row["created_at"]
    return {
        **{name: row[name] for name in ("title", "source", "source_id", "url", "author")},
        "created_at": None if created_at is None else store.moment(created_at),
    }


def _chunk(row: Mapping[Any, Any]) -> FoundChunk:
    return FoundChunk(
        id=f"{row['id']}_{row['position']}",
        text=row["text"].strip(),
        score=round(row["score"], 3),
        metadata=ChunkMetadata(**_known(row), document_id=row["id"]),
    )


def _results(questions: Sequence[str], found: Sequence[Sequence[FoundChunk]]) -> QueryResults:
    """As many as fit into a reply: the best of every question before the second best of any."""
    reply = QueryResults(
        results=[QueryResult(query=question, results=[]) for question in questions], note=None
    )
    room = LARGEST_REPLY - written(reply)
    ranked = list(_by_rank(found))
    shown = 0
    for number, chunk in ranked:
        room -= written(chunk) + 1
        if room < 0:
            break
        reply.results[number].results.append(chunk)
        shown += 1
    if shown < len(ranked):
        reply.note = (
            f"{len(ranked) - shown} of {len(ranked)} chunks are left out, because the reply would "
            "be too long. Ask fewer questions at once, or with a smaller top_k."
        )
    return reply


def _by_rank(found: Sequence[Sequence[FoundChunk]]) -> Iterator[tuple[int, FoundChunk]]:
    for rank in range(max(map(len, found))):
        for number, chunks in enumerate(found):
            if rank < len(chunks):
                yield number, chunks[rank]


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _unknown(document_id: str) -> NotFound:
    return NotFound(
        f"There is no document {document_id}. Call query_documents; the document_id of a result is "
        "one that exists."
    )
