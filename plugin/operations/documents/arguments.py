"""What callers say of documents; the names are those of the ChatGPT retrieval plugin."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, WithJsonSchema
from pydantic.config import JsonDict

from plugin.operations import Arguments, PageText, PlainText, QueryArguments
from plugin.operations.documents.store import (
    LONGEST_AUTHOR,
    LONGEST_ID,
    LONGEST_SOURCE,
    LONGEST_SOURCE_ID,
    LONGEST_TITLE,
    LONGEST_URL,
)

LONGEST_TEXT = 200_000
LONGEST_QUERY = 1_000
MOST_DOCUMENTS = 50
MOST_QUERIES = 10
MOST_RESULTS = 20

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_MOMENT_SCHEMA: JsonDict = {
    "anyOf": [{"type": "string", "format": "date-time"}, {"type": "string", "format": "date"}]
}


def _first_moment(value: Any) -> Any:
    return _read(value, "T00:00:00Z")


def _last_moment(value: Any) -> Any:
    return _read(value, "T23:59:59.999999Z")


def _read(value: Any, time: str) -> Any:
    if isinstance(value, str) and _DAY.fullmatch(value):
        return value + time
    if isinstance(value, str) and not _DAY.match(value):
        # pydantic would take "1700000000" for seconds since 1970
        raise ValueError("write it as ISO 8601 text, such as 2026-11-23 or 2026-11-23T09:30:00Z")
    return value


def _in_utc(value: datetime) -> datetime:
    try:
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    except OverflowError:
        raise ValueError("the point in time lies outside of the years 1 to 9999") from None


_SaidAsMoment = WithJsonSchema(_MOMENT_SCHEMA)
Moment = Annotated[datetime, BeforeValidator(_first_moment), AfterValidator(_in_utc), _SaidAsMoment]
"""A point in time in UTC; a day is its beginning."""

LastMoment = Annotated[
    datetime, BeforeValidator(_last_moment), AfterValidator(_in_utc), _SaidAsMoment
]
"""A point in time in UTC; a day is its end."""

ID_PATTERN = r"^[^\x00-\x20\x7f-\xa0/\\.][^\x00-\x20\x7f-\xa0/\\]*$"
"""No space, no slash, no dot in front."""


def _fit_for_a_path(value: Any) -> Any:
    if isinstance(value, str) and not re.fullmatch(ID_PATTERN, value):
        raise ValueError(
            "an id stands in a path: leave out spaces, slashes and control characters, and a dot "
            "in front"
        )
    if value == "query":
        raise ValueError("`query` is the path of query_documents; take another id")
    return value


DocumentId = Annotated[
    str,
    BeforeValidator(_fit_for_a_path),
    Field(min_length=1, max_length=LONGEST_ID, json_schema_extra={"pattern": ID_PATTERN}),
]

ABOUT_EXAMPLE: JsonDict = {
    "title": "Refund policy",
    "source": "handbook",
    "source_id": "hb-12",
    "url": "https://example.com/handbook/refunds",
    "author": "Li Wei",
    "created_at": "2026-03-01T09:00:00Z",
}
TEXT_EXAMPLE = "Customers can return goods within 30 days and get their money back."
DOCUMENT_EXAMPLE: JsonDict = {"id": "refunds", "text": TEXT_EXAMPLE, "metadata": ABOUT_EXAMPLE}
QUERY_EXAMPLE: JsonDict = {"query": "return goods money back", "filter": {"source": "handbook"}}


class DocumentMetadata(Arguments):
    """What is known about a document. Leave out what you do not know."""

    model_config = ConfigDict(json_schema_extra={"examples": [ABOUT_EXAMPLE]})

    title: Annotated[PlainText, Field(max_length=LONGEST_TITLE)] | None = None
    """The title; its words count more in a search than those of the text."""

    source: Annotated[PlainText, Field(max_length=LONGEST_SOURCE)] | None = None
    """Where it comes from, such as email, file, chat or the name of a collection."""

    source_id: Annotated[PlainText, Field(max_length=LONGEST_SOURCE_ID)] | None = None
    """Its id at the source."""

    url: Annotated[PlainText, Field(max_length=LONGEST_URL)] | None = None
    """Where it can be read."""

    created_at: Moment | None = None
    """When it was written: a day or a point in time, without an offset in UTC."""

    author: Annotated[PlainText, Field(max_length=LONGEST_AUTHOR)] | None = None
    """Who wrote it."""


class Document(Arguments):
    """A document to store."""

    model_config = ConfigDict(json_schema_extra={"examples": [DOCUMENT_EXAMPLE]})

    id: DocumentId | None = None
    """The id; a stored document with this id is replaced. Without one, a new id is made."""

    text: Annotated[PageText, Field(min_length=1, max_length=LONGEST_TEXT)]
    """The whole text."""

    metadata: DocumentMetadata | None = None
    """What is known about it."""


class UpsertDocuments(Arguments):
    """Documents to store, all or none."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"documents": [DOCUMENT_EXAMPLE]}]})

    documents: Annotated[list[Document], Field(min_length=1, max_length=MOST_DOCUMENTS)]
    """The documents; of two with the same id the last one counts."""


class DocumentFilter(Arguments):
    """What found documents must be; all that is given must hold."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"source": "handbook", "start_date": "2026-01-01"}]}
    )

    document_id: DocumentId | None = None
    """Search in this document alone."""

    source: Annotated[PlainText, Field(max_length=LONGEST_SOURCE)] | None = None
    """The source, whole, in any case."""

    source_id: Annotated[PlainText, Field(max_length=LONGEST_SOURCE_ID)] | None = None
    """The id at the source."""

    author: Annotated[PlainText, Field(max_length=LONGEST_AUTHOR)] | None = None
    """The author, whole, in any case."""

    start_date: Moment | None = None
    """Written at this day or point in time, or later."""

    end_date: LastMoment | None = None
    """Written on this day, or at this point in time, or earlier."""


class DocumentQuery(Arguments):
    """One question to the stored documents."""

    model_config = ConfigDict(json_schema_extra={"examples": [QUERY_EXAMPLE]})

    query: Annotated[PlainText, Field(min_length=1, max_length=LONGEST_QUERY)]
    """What to look for, in the words that the documents would use, in their language."""

    filter: DocumentFilter | None = None
    """Look only at documents like this; leave it out to look at all."""

    top_k: Annotated[int, Field(ge=1, le=MOST_RESULTS)] = 3
    """How many chunks to return at most."""


class QueryDocuments(Arguments):
    """Questions to the stored documents."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"queries": [QUERY_EXAMPLE, {"query": "退货 退款", "top_k": 5}]}]
        }
    )

    queries: Annotated[list[DocumentQuery], Field(min_length=1, max_length=MOST_QUERIES)]
    """The questions; part a complex one into several."""


class ReadDocument(QueryArguments):
    """From where to read."""

    start: Annotated[int, Field(ge=0, le=LONGEST_TEXT)] = 0
    """Return the text from this character on; to read on, pass `next_start` of the last reply."""
