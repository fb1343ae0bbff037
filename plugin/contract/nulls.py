"""The nulls that strict tools add: which properties take none, and a call without them."""

from collections.abc import Mapping
from typing import Any

from plugin.contract.operation import Schema
from plugin.contract.schema import resolve


def accepts_null(schema: Schema, root: Mapping[str, Any], depth: int = 0) -> bool:
    """Whether null is valid, as far as types say it."""
    schema = resolve(schema, root)
    if isinstance(schema, bool) or depth > 20:
        return schema is not False
    if "const" in schema:
        return schema["const"] is None
    if "enum" in schema and None not in schema["enum"]:
        return False
    if "type" in schema and "null" not in (
        schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    ):
        return False
    if not all(accepts_null(branch, root, depth + 1) for branch in schema.get("allOf", ())):
        return False
    for choice in ("anyOf", "oneOf"):
        branches = schema.get(choice)
        if branches and not any(accepts_null(branch, root, depth + 1) for branch in branches):
            return False
    return True


def without_added_nulls(schema: Mapping[str, Any], arguments: Any) -> Any:
    """The arguments less each null that stands for "not given": optional, and no null in its schema.

    Returns the same object where nothing had to go.
    """
    return _pruned(dict(schema), arguments, schema, 0)


def _pruned(schema: Schema, value: Any, root: Mapping[str, Any], depth: int) -> Any:
    if not isinstance(value, dict | list) or depth > 60:
        return value
    schema = _branch(resolve(schema, root), value, root)
    if not isinstance(schema, dict):
        return value
    if isinstance(value, list):
        items = schema.get("items", True)
        pruned = [_pruned(items, item, root, depth + 1) for item in value]
        return pruned if any(a is not b for a, b in zip(pruned, value, strict=True)) else value
    return _pruned_object(schema, value, root, depth)


def _pruned_object(
    schema: dict[str, Any], value: dict[str, Any], root: Mapping[str, Any], depth: int
) -> dict[str, Any]:
    properties, required = schema.get("properties", {}), schema.get("required", ())
    found = {}
    for name, item in value.items():
        member = properties.get(name)
        if member is None:
            found[name] = item
        elif item is not None or name in required or accepts_null(member, root):
            found[name] = _pruned(member, item, root, depth + 1)
    same = len(found) == len(value) and all(found[name] is value[name] for name in found)
    return value if same else found


def _branch(schema: Schema, value: Any, root: Mapping[str, Any]) -> Schema:
    """The object or array that a value belongs to where the schema leaves a choice, or merges several.

    The first branch that lists every key of the value is taken.
    """
    if not isinstance(schema, dict) or not isinstance(value, dict):
        return schema
    for choice in ("anyOf", "oneOf"):
        for branch in schema.get(choice, ()):
            found = resolve(branch, root)
            if isinstance(found, dict) and set(value) <= set(found.get("properties", ())):
                return found
    return schema
