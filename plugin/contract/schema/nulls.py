"""The nulls that strict tools add: which properties take none, and a call without them."""

from collections.abc import Iterator, Mapping
from typing import Any

from plugin.contract.operation import Schema
from plugin.contract.schema.validation import resolve

_DEEPEST = 60
"""Levels of arguments that are looked into, and of schemas that lead to a value."""

_TYPES: Mapping[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "boolean": (bool,),
    "number": (int, float),
    "integer": (int, float),
    "null": (type(None),),
}


def accepts_null(schema: Schema, root: Mapping[str, Any]) -> bool:
    """Whether null is valid, as far as types, values and alternatives say it."""
    return _fits(schema, None, root, 0)


def without_added_nulls(schema: Mapping[str, Any], arguments: Any) -> Any:
    """The arguments less each null that stands for "not given": optional, not nullable.

    Returns the same object where nothing had to go.
    """
    if not _has_null(arguments):
        return arguments
    return _pruned([dict(schema)], arguments, schema, 0)


def _has_null(value: Any) -> bool:
    if isinstance(value, dict):
        return any(_has_null(item) for item in value.values())
    if isinstance(value, list):
        return any(_has_null(item) for item in value)
    return value is None


def _pruned(schemas: list[Schema], value: Any, root: Mapping[str, Any], depth: int) -> Any:
    if not isinstance(value, dict | list) or depth > _DEEPEST:
        return value
    facets = [facet for schema in schemas for facet in _facets(schema, value, root, 0)]
    if isinstance(value, list):
        items = [facet["items"] for facet in facets if "items" in facet]
        return [_pruned(items, item, root, depth + 1) for item in value]
    found = {}
    for name, item in value.items():
        members = [
            facet["properties"][name] for facet in facets if name in facet.get("properties", ())
        ]
        optional = not any(name in facet.get("required", ()) for facet in facets)
        if item is None and optional and not all(accepts_null(part, root) for part in members):
            continue
        found[name] = _pruned(members, item, root, depth + 1)
    return found


def _facets(
    schema: Schema, value: Any, root: Mapping[str, Any], depth: int
) -> Iterator[dict[str, Any]]:
    """Every schema that speaks of this value: itself, what it refers to, fitting choices."""
    if isinstance(schema, bool) or depth > _DEEPEST:
        return
    yield schema
    if "$ref" in schema:
        yield from _facets(resolve(schema, root), value, root, depth + 1)
    for part in schema.get("allOf", ()):
        yield from _facets(part, value, root, depth + 1)
    for choice in ("anyOf", "oneOf"):
        for branch in schema.get(choice, ()):
            if _fits(branch, value, root, depth + 1):
                yield from _facets(branch, value, root, depth + 1)
                break


def _fits(schema: Schema, value: Any, root: Mapping[str, Any], depth: int) -> bool:
    """Whether a value is of this shape, an optional null counting as absent."""
    if isinstance(schema, bool) or depth > _DEEPEST:
        return schema is not False
    if not _is_allowed(schema, value) or not _fits_parts(schema, value, root, depth + 1):
        return False
    if isinstance(value, dict):
        return _fits_object(schema, value, root, depth + 1)
    if isinstance(value, list) and "items" in schema:
        return all(_fits(schema["items"], item, root, depth + 1) for item in value)
    return True


def _is_allowed(schema: Mapping[str, Any], value: Any) -> bool:
    if "const" in schema and schema["const"] != value:
        return False
    if "enum" in schema and value not in schema["enum"]:
        return False
    return "type" not in schema or _is_of(schema["type"], value)


def _fits_parts(schema: dict[str, Any], value: Any, root: Mapping[str, Any], depth: int) -> bool:
    every = [*schema.get("allOf", ()), *([resolve(schema, root)] if "$ref" in schema else ())]
    if not all(_fits(part, value, root, depth) for part in every):
        return False
    return all(
        any(_fits(branch, value, root, depth) for branch in schema[choice])
        for choice in ("anyOf", "oneOf")
        if schema.get(choice)
    )


def _fits_object(
    schema: Mapping[str, Any], value: Mapping[str, Any], root: Mapping[str, Any], depth: int
) -> bool:
    properties, required = schema.get("properties", {}), schema.get("required", ())
    for name in required:
        # A null that nothing here describes is one that was added: the key counts as absent.
        if name not in value or (value[name] is None and name not in properties):
            return False
    for name, item in value.items():
        if item is None and name not in required:
            continue
        if name in properties:
            if not _fits(properties[name], item, root, depth):
                return False
        elif schema.get("additionalProperties") is False:
            return False
    return True


def _is_of(types: str | list[str], value: Any) -> bool:
    for name in [types] if isinstance(types, str) else types:
        if isinstance(value, bool) and name in ("number", "integer"):
            continue
        if name == "integer" and isinstance(value, float) and not value.is_integer():
            continue
        if isinstance(value, _TYPES.get(name, (object,))):
            return True
    return False
