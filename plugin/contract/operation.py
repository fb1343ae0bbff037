"""The one model that every contract is read into: operations, their arguments, their answers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Schema = dict[str, Any] | bool
"""A JSON Schema of dialect 2020-12. References are local to the object that carries it."""

Location = Literal["path", "query", "header", "cookie"]


@dataclass(frozen=True, slots=True)
class Note:
    """Something odd in a document: where (a JSON pointer into it) and what, in one sentence."""

    pointer: str
    reason: str


@dataclass(frozen=True, slots=True)
class Parameter:
    """An argument that travels in path, query, header or cookie.

    `style` and `explode` are filled with OpenAPI's defaults. `media_type` is set where the
    parameter is declared by `content` and its value is serialised in that type. `argument` is its
    key in a call's arguments: its name, or a changed one where path, query and body would collide.
    """

    name: str
    argument: str
    location: Location
    required: bool
    schema: Schema
    style: str
    explode: bool
    pointer: str
    description: str = ""
    media_type: str | None = None
    allow_reserved: bool = False


@dataclass(frozen=True, slots=True)
class Body:
    """A request body in the one media type that calls will use.

    `flat` bodies are objects whose properties stand among the arguments; any other body is one
    argument named `argument`.
    """

    media_type: str
    schema: Schema
    required: bool
    flat: bool
    pointer: str
    argument: str = "body"
    description: str = ""
    encoding: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answer:
    """A declared response. `status` is as written: `200`, `4XX` or `default`.

    `schemas` maps each declared media type to its schema, None where the type has none. A schema is
    self-contained, and may be made only when it is first asked for.
    """

    status: str
    schemas: Mapping[str, Schema | None]
    pointer: str
    description: str = ""


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing a service can do, wherever its contract came from.

    `schema` is the arguments of a call as one object schema, **as written** in the document (3.0
    keywords put into 2020-12), self-contained: what it refers to lies in its `$defs`. A call is
    judged against it. Definitions are shared by all operations of a contract, so nobody may change
    them, and one name means one schema. `extensions` holds the `x-…` keys.
    """

    method: str
    path: str
    operation_id: str | None
    pointer: str
    summary: str
    description: str
    parameters: tuple[Parameter, ...]
    body: Body | None
    answers: tuple[Answer, ...]
    schema: dict[str, Any]
    servers: tuple[str, ...] = ()
    security: tuple[Mapping[str, tuple[str, ...]], ...] = ()
    tags: tuple[str, ...] = ()
    deprecated: bool = False
    extensions: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Contract:
    """A document, read: `operations` can be called, `skipped` say why not, `notes` are oddities."""

    title: str
    version: str
    description: str
    servers: tuple[str, ...]
    operations: tuple[Operation, ...]
    skipped: tuple[Note, ...]
    notes: tuple[Note, ...]
    document: Mapping[str, Any]
