"""Whether a strict schema keeps within the numbers that its door counts."""

from collections.abc import Iterator, Mapping
from typing import Any

from plugin.contract import targets
from plugin.contract.operation import Schema
from plugin.contract.schema import subschemas


def excess(schema: Mapping[str, Any]) -> str | None:
    """What of a strict schema is over a limit, in a sentence; None when nothing is."""
    definitions: Mapping[str, Schema] = schema.get("$defs", {})
    roots: list[Schema] = [dict(schema), *definitions.values()]
    nodes = [node for root in roots for node in _nodes(root)]
    counts = (
        (
            "properties",
            sum(len(node.get("properties", ())) for node in nodes),
            targets.STRICT_PROPERTIES,
        ),
        ("levels", max(map(_depth, roots)), targets.STRICT_DEPTH),
        (
            "enum values",
            sum(len(node.get("enum", ())) for node in nodes),
            targets.STRICT_ENUM_VALUES,
        ),
        (
            "characters of names and enum values",
            sum(map(_text, nodes)) + sum(map(len, definitions)),
            targets.STRICT_TEXT,
        ),
        (
            "characters in a long enum",
            max((_long_enum(node) for node in nodes), default=0),
            targets.STRICT_LONG_ENUM_TEXT,
        ),
    )
    for what, found, limit in counts:
        if found > limit.number:
            return f"{found:,} {what}, and {limit.number:,} are allowed ({limit.source})"
    return None


def _nodes(schema: Schema) -> Iterator[dict[str, Any]]:
    if isinstance(schema, dict):
        yield schema
        for member in subschemas(schema):
            yield from _nodes(member)


def _depth(schema: Schema) -> int:
    """Levels of objects and lists written inside each other; a reference is not a level."""
    if not isinstance(schema, dict):
        return 0
    below = max(map(_depth, subschemas(schema)), default=0)
    return below + (schema.get("type") in ("object", "array") or _is_nullable_container(schema))


def _is_nullable_container(schema: Mapping[str, Any]) -> bool:
    types = schema.get("type")
    return isinstance(types, list) and bool({"object", "array"} & set(types))


def _text(node: Mapping[str, Any]) -> int:
    names = sum(map(len, node.get("properties", ())))
    values = sum(len(value) for value in node.get("enum", ()) if isinstance(value, str))
    const = node.get("const")
    return names + values + (len(const) if isinstance(const, str) else 0)


def _long_enum(node: Mapping[str, Any]) -> int:
    values = node.get("enum", ())
    if len(values) <= targets.STRICT_LONG_ENUM.number:
        return 0
    return sum(len(value) for value in values if isinstance(value, str))
