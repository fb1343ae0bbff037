"""What is answered about documents."""

from datetime import datetime

from pydantic import ConfigDict
from pydantic.config import JsonDict

from plugin.operations import Reply
from plugin.operations.documents.arguments import ABOUT_EXAMPLE, DOCUMENT_EXAMPLE, TEXT_EXAMPLE

_FOUND_IN: JsonDict = {**ABOUT_EXAMPLE, "document_id": "refunds"}
_FOUND: JsonDict = {"id": "refunds_0", "text": TEXT_EXAMPLE, "score": 4.2, "metadata": _FOUND_IN}
_RESULT: JsonDict = {"query": "return goods money back", "results": [_FOUND]}
_CUT = "4 of 5 chunks are left out, because the reply would be too long."


class UpsertedDocuments(Reply):
    """What was stored."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "ids": ["refunds"],
                    "message": "Stored 1 document in 1 chunk; it is new.",
                }
            ]
        }
    )

    ids: list[str]
    """The ids of the documents, in the order in which they came."""

    message: str
    """What happened, in one sentence."""


class KnownMetadata(Reply):
    """What is known about a stored document."""

    model_config = ConfigDict(json_schema_extra={"examples": [ABOUT_EXAMPLE]})

    title: str | None
    """The title."""

    source: str | None
    """Where it comes from."""

    source_id: str | None
    """Its id at the source."""

    url: str | None
    """Where it can be read; name it when you quote the document."""

    created_at: datetime | None
    """When it was written, in UTC."""

    author: str | None
    """Who wrote it."""


class ChunkMetadata(KnownMetadata):
    """The document that a chunk is part of."""

    model_config = ConfigDict(json_schema_extra={"examples": [_FOUND_IN]})

    document_id: str
    """The id of the document; get_document reads the whole."""


class FoundChunk(Reply):
    """A part of a document that fits the question."""

    model_config = ConfigDict(json_schema_extra={"examples": [_FOUND]})

    id: str
    """The id of the document and the number of the chunk."""

    text: str
    """What it says."""

    score: float
    """How well it fits; greater is better, comparable within one question."""

    metadata: ChunkMetadata
    """The document that it is part of."""


class QueryResult(Reply):
    """What was found for one question."""

    model_config = ConfigDict(json_schema_extra={"examples": [_RESULT]})

    query: str
    """The question."""

    results: list[FoundChunk]
    """The chunks that fit, best first; empty when nothing fits."""


class QueryResults(Reply):
    """What was found, question by question."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"results": [_RESULT], "note": _CUT}]}
    )

    results: list[QueryResult]
    """One for each question, in their order."""

    note: str | None
    """What was left out and how to get it; null when nothing was."""


class StoredDocument(Reply):
    """A stored document, or as much of it as one reply holds."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    **DOCUMENT_EXAMPLE,
                    "updated_at": "2026-11-23T09:30:00Z",
                    "next_start": 89805,
                    "note": "This is a part of 200000 characters.",
                }
            ]
        }
    )

    id: str
    """The id of the document."""

    text: str
    """Its text from `start` on."""

    metadata: KnownMetadata
    """What is known about it."""

    updated_at: datetime
    """When it was stored last, in UTC."""

    next_start: int | None
    """The `start` of what follows; null at the end of the text."""

    note: str | None
    """Said when the text goes on; null otherwise."""


class DeletedDocument(Reply):
    """A document that is gone."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"id": "refunds", "message": "Deleted document refunds (Refund policy), 1 chunk."}
            ]
        }
    )

    id: str
    """The id that named it."""

    message: str
    """What happened, in one sentence."""
