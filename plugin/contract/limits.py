"""The numbers that strict mode counts in a schema, and whether one is too high."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from plugin.contract import targets
from plugin.contract.operation import Schema
from plugin.contract.schema.validation import subschemas
from plugin.contract.targets import Limit


@dataclass(frozen=True, slots=True)
class Excess:
    """A number that is over a limit, and what it counts."""

    number: int
    what: str
    limit: Limit

    def __str__(self) -> str:
        allowed = f"{self.limit.number:,} are allowed ({self.limit.source})"
        return f"{self.number:,} {self.what}, and {allowed}"


@dataclass(frozen=True, slots=True)
class Measure:
    """What a part of a schema adds: sums, but for `levels` and `long_enum`, which are the highest.

    A reference is no level: recursion is allowed, so only what is written inside each other counts.
    """

    properties: int = 0
    levels: int = 0
    enum_values: int = 0
    characters: int = 0
    long_enum: int = 0


_LIMITS: tuple[tuple[str, str, Limit], ...] = (
    ("properties", "properties", targets.STRICT_PROPERTIES),
    ("levels", "levels", targets.STRICT_DEPTH),
    ("enum_values", "enum values", targets.STRICT_ENUM_VALUES),
    ("characters", "characters of names and values", targets.STRICT_TEXT),
    ("long_enum", "characters in one enum", targets.STRICT_LONG_ENUM_TEXT),
)


def measure(schema: Schema, name: str = "") -> Measure:
    """What one schema adds, its `$defs` not counted; `name` is its own in somebody's `$defs`."""
    nodes = list(_nodes(schema))
    return Measure(
        properties=sum(len(node.get("properties", ())) for node in nodes),
        levels=_levels(schema),
        enum_values=sum(len(node.get("enum", ())) for node in nodes),
        characters=len(name) + sum(map(_characters, nodes)),
        long_enum=max(map(_long_enum, nodes), default=0),
    )


def together(measures: Iterable[Measure]) -> Measure:
    """What several parts come to in one schema."""
    parts = list(measures)
    return Measure(
        properties=sum(part.properties for part in parts),
        levels=max((part.levels for part in parts), default=0),
        enum_values=sum(part.enum_values for part in parts),
        characters=sum(part.characters for part in parts),
        long_enum=max((part.long_enum for part in parts), default=0),
    )


def excess(found: Measure) -> list[Excess]:
    """What is over a limit."""
    return [
        Excess(getattr(found, field), what, limit)
        for field, what, limit in _LIMITS
        if getattr(found, field) > limit.number
    ]


def _nodes(schema: Schema) -> Iterator[dict[str, Any]]:
    if isinstance(schema, dict):
        yield schema
        for member in subschemas(schema):
            yield from _nodes(member)


def _levels(schema: Schema) -> int:
    """Levels of objects and lists written inside each other."""
    if not isinstance(schema, dict):
        return 0
    types = schema.get("type", ())
    is_level = not {"object", "array"}.isdisjoint([types] if isinstance(types, str) else types)
    return is_level + max(map(_levels, subschemas(schema)), default=0)


def _characters(node: Mapping[str, Any]) -> int:
    names = sum(map(len, node.get("properties", ())))
    return names + sum(len(value) for value in node.get("enum", ()) if isinstance(value, str))


def _long_enum(node: Mapping[str, Any]) -> int:
    values = node.get("enum", ())
    if len(values) <= targets.STRICT_LONG_ENUM.number:
        return 0
    return sum(len(value) for value in values if isinstance(value, str))
