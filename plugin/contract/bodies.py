"""The request body of an operation: its media type, and whether its properties lie flat."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from plugin.contract.library import Fragment
from plugin.contract.operation import Body
from plugin.contract.pointer import child
from plugin.contract.schema.merge import Inexpressible
from plugin.contract.schema.validation import resolve
from plugin.contract.source import NotUsable, Source, flag, mapping, text

_PREFERRED = (
    re.compile(r"application/json"),
    re.compile(r"[^/]+/([^/]+\+)?json"),
    re.compile(r"application/x-www-form-urlencoded"),
    re.compile(r"multipart/form-data"),
    re.compile(r"multipart/[^/]+"),
    re.compile(r"text/(plain|\*)"),
    re.compile(r"text/.+"),
)
"""Media types that arguments can be written in, the best first."""

_ANY = frozenset({"*/*", "*", "application/*"})

_FREE = frozenset(
    {
        "type",
        "properties",
        "required",
        "additionalProperties",
        "dependentRequired",
        "description",
        "title",
        "default",
        "examples",
        "deprecated",
        "readOnly",
        "writeOnly",
    }
)
"""Keywords of an object that stay true when parameters join its properties."""

_ALONE = frozenset({"minProperties", "maxProperties", "propertyNames", "patternProperties"})
"""Keywords that speak of every property, so they stay true only where no parameter joins them."""


@dataclass(frozen=True, slots=True)
class BodyRead:
    """A body, its schema's fragment and, where it is flat, the object that holds the arguments."""

    body: Body
    fragment: Fragment
    flat: Mapping[str, Any] | None = None


def read_body(source: Source, node: Any, pointer: str, beside: frozenset[str]) -> BodyRead | None:
    """The body that `requestBody` declares; `beside` names the parameters that join it.

    Raises NotUsable when no call can be written in it.
    """
    node, pointer = source.follow(node, pointer)
    content = mapping(mapping(node).get("content"))
    if not content:
        if node is not None:
            source.note(pointer, "a request body without content was left out")
        return None
    declared, media_type = _media_type(content, pointer)
    where = child(child(pointer, "content"), declared)
    media = mapping(content[declared])
    schema = media.get("schema", {"type": "string"} if media_type.startswith("text/") else {})
    fragment = source.requests.fragment(schema, child(where, "schema"))
    flat = _flat(source, fragment, beside)
    body = Body(
        media_type=media_type,
        schema=source.requests.whole(fragment),
        required=flag(node.get("required")) or bool(flat and flat.get("required")),
        flat=flat is not None,
        pointer=where,
        description=text(node.get("description")),
        encoding=mapping(media.get("encoding")),
    )
    return BodyRead(body, fragment, flat)


def _media_type(content: Mapping[str, Any], pointer: str) -> tuple[str, str]:
    """The key of `content` to use, and the media type to send."""
    bare = {str(key).partition(";")[0].strip().lower(): key for key in content}
    for preferred in _PREFERRED:
        for media_type, key in bare.items():
            if preferred.fullmatch(media_type):
                return key, "text/plain" if media_type == "text/*" else media_type
    for media_type, key in bare.items():
        if media_type in _ANY:
            return key, "application/json"
    for media_type, key in bare.items():
        schema = mapping(mapping(content[key]).get("schema"))
        if schema.get("type", "string") == "string" and "*" not in media_type:
            return key, media_type
    raise NotUsable(
        child(pointer, "content"), f"no call can be written in {', '.join(map(str, content))}"
    )


def _flat(source: Source, fragment: Fragment, beside: frozenset[str]) -> Mapping[str, Any] | None:
    """The object that the body's properties belong to, if they can stand among the arguments."""
    try:
        schema = source.merger.whole(fragment.schema)
    except Inexpressible:
        return None
    if not isinstance(schema, dict) or not schema.get("properties"):
        return None
    free = _FREE if beside else _FREE | _ALONE
    if schema.get("type", "object") != "object" or not set(schema) <= free:
        return None
    return _asked_for(source, schema, beside)


def _asked_for(
    source: Source, schema: Mapping[str, Any], beside: frozenset[str]
) -> Mapping[str, Any]:
    """The object, not asking for what only the service sets.

    Such a property stays, as a call that carries it is no wrong call, but for one that a parameter
    already stands for: the id in the path.
    """
    hidden = {
        name
        for name, value in schema["properties"].items()
        if isinstance(value, dict) and _read_only(source, value)
    }
    properties = {
        name: {**value, "readOnly": True} if name in hidden else value
        for name, value in schema["properties"].items()
        if name not in hidden & beside
    }
    asked = {**schema, "properties": properties}
    asked["required"] = [name for name in schema.get("required", ()) if name not in hidden]
    if not asked["required"]:
        del asked["required"]
    return asked


def _read_only(source: Source, schema: dict[str, Any]) -> bool:
    """Whether a property says so itself, else whether what it refers to does."""
    target = mapping(resolve(schema, {"$defs": source.requests.definitions}))
    return schema.get("readOnly", target.get("readOnly")) is True
