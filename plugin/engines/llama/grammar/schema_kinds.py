"""What kind of value a schema speaks of, as far as its own keywords say it."""

from collections.abc import Mapping, Sequence
from typing import Any

from plugin.contract.operation import Schema

WORDS = frozenset(
    {"title", "description", "default", "examples", "deprecated", "format", "$comment"}
    | {"readOnly", "writeOnly", "contentEncoding", "contentMediaType"}
)
_BY_KEYWORD = (
    ("object", ("properties", "required", "additionalProperties", "patternProperties")),
    ("array", ("items", "prefixItems", "minItems", "maxItems")),
    ("string", ("pattern", "minLength", "maxLength", "format")),
    ("number", ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")),
)
ALL_TYPES = ("string", "number", "boolean", "null", "array", "object")


def types_of(schema: Mapping[str, Any]) -> Sequence[str]:
    """The types that a schema names, or else those that its keywords speak of."""
    types = schema.get("type")
    if types is not None:
        return [types] if isinstance(types, str) else list(types)
    meant = [name for name, keywords in _BY_KEYWORD if any(key in schema for key in keywords)]
    return meant or ALL_TYPES


def first_of_all(schema: Schema) -> Schema:
    """An allOf that cannot be written as one schema: what stands beside it, or its first part."""
    if isinstance(schema, bool):
        return schema
    beside = {key: value for key, value in schema.items() if key not in ("allOf", "$ref")}
    if beside.keys() - WORDS or not schema.get("allOf"):
        return beside
    first = schema["allOf"][0]
    return first_of_all(first) if isinstance(first, dict) and "allOf" in first else first


def disjoint(branches: Sequence[Schema]) -> bool:
    """Whether no value fits two branches, as far as their types alone say it."""
    seen: set[str] = set()
    for branch in branches:
        if not isinstance(branch, dict) or "type" not in branch:
            return False
        types = set(types_of(branch))
        if types & seen or (types | seen) >= {"integer", "number"}:
            return False
        seen |= types
    return True
