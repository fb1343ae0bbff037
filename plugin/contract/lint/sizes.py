"""How long a value of a schema can or must be as JSON, as far as the schema shows it."""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from plugin.contract.operation import Schema
from plugin.contract.source import mapping

_LOCAL = "#/$defs/"
_BRANCHES = ("anyOf", "oneOf")


class Sizes:
    """Characters of compact JSON: `most` from upper bounds that are written, `least` likewise.

    What is not bounded counts as nothing, so both are numbers that the schema vouches for: a value
    may be longer than `most` only where the schema is silent. `definitions` are what it refers to.
    """

    def __init__(self, definitions: Mapping[str, Schema]) -> None:
        self._definitions = definitions
        self._known: dict[tuple[str, bool], int] = {}

    def most(self, schema: Schema) -> int:
        """As long as its bounds show that it may be."""
        return self._size(schema, upper=True)

    def least(self, schema: Schema) -> int:
        """As long as every value is at least."""
        return self._size(schema, upper=False)

    def _size(self, schema: Schema, *, upper: bool) -> int:
        if not isinstance(schema, dict):
            return 0
        sizes = [self._own(schema, upper=upper), *self._composed(schema, upper=upper)]
        return max(sizes)

    def _own(self, schema: Mapping[str, Any], *, upper: bool) -> int:
        """What the keywords say that stand in the schema itself."""
        values = [schema["const"]] if "const" in schema else schema.get("enum")
        if values:
            return (max if upper else min)(len(_compact(value)) for value in values)
        by_type: Mapping[str, Callable[..., int]] = {
            "string": _text,
            "array": self._list,
            "object": self._object,
        }
        types = schema.get("type", [])
        names = [types] if isinstance(types, str) else list(types)
        found = [by_type[name](schema, upper=upper) if name in by_type else 1 for name in names]
        return (max if upper else min)(found, default=0)

    def _composed(self, schema: Mapping[str, Any], *, upper: bool) -> Iterator[int]:
        reference = schema.get("$ref")
        if isinstance(reference, str) and reference.startswith(_LOCAL):
            yield self._definition(reference.removeprefix(_LOCAL), upper=upper)
        for branch in schema.get("allOf", ()):
            yield self._size(branch, upper=upper)
        for keyword in _BRANCHES:
            branches = [self._size(branch, upper=upper) for branch in schema.get(keyword, ())]
            yield (max if upper else min)(branches, default=0)

    def _definition(self, name: str, *, upper: bool) -> int:
        key = (name, upper)
        if key not in self._known:
            self._known[key] = 0  # where it leads back to itself, nothing bounds it
            self._known[key] = self._size(self._definitions.get(name, True), upper=upper)
        return self._known[key]

    def _list(self, schema: Mapping[str, Any], *, upper: bool) -> int:
        count = int(schema.get("maxItems" if upper else "minItems", 0))
        return 2 + count * (self._size(schema.get("items", True), upper=upper) + 1)

    def _object(self, schema: Mapping[str, Any], *, upper: bool) -> int:
        properties = mapping(schema.get("properties"))
        names = properties if upper else schema.get("required", ())
        return 2 + sum(
            len(_compact(name)) + 2 + self._size(properties.get(name, True), upper=upper)
            for name in names
        )


def _text(schema: Mapping[str, Any], *, upper: bool) -> int:
    return 2 + int(schema.get("maxLength" if upper else "minLength", 0))


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
