"""The request body of an operation: which media type calls use, and whether its properties lie flat."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from plugin.contract.library import Fragment
from plugin.contract.operation import Body, Schema
from plugin.contract.pointer import child
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
        *("type", "properties", "required", "additionalProperties", "dependentRequired"),
        *("description", "title", "default", "examples", "deprecated", "readOnly", "writeOnly"),
    }
)
"""Keywords of an object that stay true when parameters join its properties."""

_ALONE = frozenset({"minProperties", "maxProperties", "propertyNames", "patternProperties"})
"""Keywords that speak of every property, so they stay true only where no parameter joins them."""


@dataclass(frozen=True, slots=True)
class BodyRead:
    """A body, its schema's fragment and, where it is flat, the object whose properties are arguments."""

    body: Body
    fragment: Fragment
    flat: Mapping[str, Any] | None = None


def read_body(source: Source, node: Any, pointer: str, *, with_parameters: bool) -> BodyRead | None:
    """The body that `requestBody` declares. Raises NotUsable when no call could be written in it."""
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
    flat = _flat(source, fragment, with_parameters=with_parameters)
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


def _flat(source: Source, fragment: Fragment, *, with_parameters: bool) -> Mapping[str, Any] | None:
    """The object that the body's properties belong to, if they can stand among the arguments."""
    schema = _resolved(source, fragment.schema)
    if isinstance(schema, dict) and set(schema) <= _FREE | {"allOf"} and "allOf" in schema:
        schema = _merged(source, schema)
    if not isinstance(schema, dict) or not schema.get("properties"):
        return None
    if schema.get("type", "object") != "object":
        return None
    free = _FREE if with_parameters else _FREE | _ALONE
    if not set(schema) <= free:
        return None
    return _asked_for(source, schema)


def _resolved(source: Source, schema: Schema) -> Schema:
    for _ in range(20):
        if not (isinstance(schema, dict) and "$ref" in schema):
            return schema
        if not set(schema) <= {"$ref", "description", "title", "examples", "default"}:
            return schema
        schema = source.requests.definition(schema["$ref"].rpartition("/")[2])
    return schema


def _merged(source: Source, schema: dict[str, Any], depth: int = 0) -> Schema:
    """One object for an `allOf` of plain objects that do not contradict each other."""
    own = {key: value for key, value in schema.items() if key != "allOf"}
    properties: dict[str, Any] = {}
    required: dict[str, None] = {}
    for branch in [*schema["allOf"], own]:
        found = _resolved(source, branch)
        if depth < 10 and isinstance(found, dict) and "allOf" in found:
            found = _merged(source, found, depth + 1) if set(found) <= _FREE | {"allOf"} else True
        if not isinstance(found, dict) or not set(found) <= _FREE:
            return schema
        # A closed branch forbids the properties of the others, so the merged object would say more.
        if found.get("additionalProperties", True) is not True:
            return schema
        if found.get("type", "object") != "object" or "dependentRequired" in found:
            return schema
        for name, value in found.get("properties", {}).items():
            if properties.setdefault(name, value) != value:
                return schema
        required.update(dict.fromkeys(found.get("required", ())))
    merged: dict[str, Any] = {"type": "object", "properties": properties}
    if required:
        merged["required"] = list(required)
    return merged


def _asked_for(source: Source, schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """The object without the properties that only the service sets."""
    properties = {
        name: value
        for name, value in schema["properties"].items()
        if not (isinstance(value, dict) and _read_only(source, value))
    }
    asked = {**schema, "properties": properties}
    asked["required"] = [
        name
        for name in schema.get("required", ())
        if name in properties or name not in schema["properties"]
    ]
    if not asked["required"]:
        del asked["required"]
    return asked


def _read_only(source: Source, schema: Mapping[str, Any]) -> bool:
    if "readOnly" in schema:
        return schema["readOnly"] is True
    found = _resolved(source, dict(schema))
    return isinstance(found, dict) and found.get("readOnly") is True
