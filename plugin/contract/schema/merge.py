"""Two schemas that both must hold, as one: what `allOf` says, for readers that do not know it."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from plugin.contract.operation import Schema

_MAX_BRANCHES = 40
"""Alternatives that a product of two `anyOf` may have; no model could choose from more."""

_WORDS = frozenset({"description", "title", "default", "examples", "deprecated"})


class Inexpressible(ValueError):  # noqa: N818 - it says what the schema is
    """A schema that the narrower dialect has no words for; the message says what it is."""


class Contradiction(Inexpressible):
    """Parts that no value fits: leaving them out loses nothing."""


class Merger:
    """Merges schemas that refer to `definitions`. What it made of one of them it keeps."""

    def __init__(self, definitions: Mapping[str, Schema]) -> None:
        self._definitions = definitions
        self._flat: dict[str, Schema] = {}
        self._open: set[tuple[str, ...]] = set()

    def flattened(self, schema: Schema) -> Schema:
        """The schema with no `allOf` at its top, and nothing beside a `$ref` but words.

        Raises Inexpressible where the parts cannot be written as one.
        """
        if isinstance(schema, bool):
            return schema
        if "allOf" not in schema and ("$ref" not in schema or set(schema) <= {"$ref"} | _WORDS):
            return schema
        own = {key: value for key, value in schema.items() if key not in ("allOf", "$ref")}
        parts = [{"$ref": schema["$ref"]}] if "$ref" in schema else []
        whole: Schema = True
        for part in [*parts, *schema.get("allOf", ()), own]:
            whole = self.merged(whole, self.flattened(self._opened(part)))
        return whole

    def whole(self, schema: Schema) -> Schema:
        """The schema flattened, and opened if it is a reference. Raises Inexpressible."""
        return self.flattened(self._opened(schema))

    def merged(self, first: Schema, second: Schema) -> Schema:
        """A schema that accepts what both accept; words of the second win. Raises Inexpressible."""
        if isinstance(first, bool):
            return second if first else False
        if isinstance(second, bool):
            return first if second else False
        if first == second:
            return first
        if "$ref" in first or "$ref" in second:
            return self._merged_targets(first, second)
        found = {**first, **second}
        for keyword in (first.keys() & second.keys()) - _WORDS:
            if first[keyword] != second[keyword]:
                join = _JOINS.get(keyword)
                if join is None:
                    raise Inexpressible(f"an allOf of different {keyword}")
                found[keyword] = join(self, first[keyword], second[keyword])
        self._close(found, first, second)
        self._close(found, second, first)
        return found

    def _close(
        self, found: dict[str, Any], one: Mapping[str, Any], other: Mapping[str, Any]
    ) -> None:
        """Applies what a part says of other properties to those that only the other part lists."""
        extra = one.get("additionalProperties", True)
        foreign = set(other.get("properties", ())) - set(one.get("properties", ()))
        if extra is True or not foreign or "patternProperties" in one:
            return
        if extra is not False:
            added = {name: self.merged(found["properties"][name], extra) for name in foreign}
            found["properties"] = {**found["properties"], **added}
        elif foreign & set(found.get("required", ())):
            raise Contradiction("an allOf whose parts forbid each other's properties")
        else:
            kept = {
                name: value for name, value in found["properties"].items() if name not in foreign
            }
            found["properties"] = kept

    def _merged_targets(self, first: dict[str, Any], second: dict[str, Any]) -> Schema:
        pair = (first.get("$ref", ""), second.get("$ref", ""))
        if all(pair) and pair in self._open:
            raise Inexpressible("an allOf of two recursive schemas")
        self._open.add(pair)
        try:
            return self.merged(
                self.flattened(self._opened(first)), self.flattened(self._opened(second))
            )
        finally:
            self._open.discard(pair)

    def _opened(self, schema: Schema) -> Schema:
        """The schema, or what its `$ref` leads to with the keywords beside it."""
        if isinstance(schema, bool) or "$ref" not in schema:
            return schema
        beside = {key: value for key, value in schema.items() if key != "$ref"}
        target = self._target(schema["$ref"])
        return self.merged(target, beside) if beside else target

    def _target(self, reference: str) -> Schema:
        """A definition, flattened and opened as far as it is itself a reference."""
        name = reference.rpartition("/")[2]
        if name not in self._flat:
            if (name,) in self._open:
                raise Inexpressible("an allOf without end")
            self._open.add((name,))
            try:
                found = self.flattened(self._definitions.get(name, True))
                self._flat[name] = self._opened(found)
            finally:
                self._open.discard((name,))
        return self._flat[name]

    def properties(self, first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
        """The properties of both, those of one name merged."""
        found = dict(first)
        for name, member in second.items():
            found[name] = self.merged(first[name], member) if name in first else member
        return found

    def branches(self, first: list[Schema], second: list[Schema]) -> list[Schema]:
        """Each alternative of one with each of the other, less those that exclude each other."""
        if len(first) * len(second) > _MAX_BRANCHES:
            raise Inexpressible("too many alternatives")
        found = []
        for one in first:
            for other in second:
                with suppress(Contradiction):
                    found.append(self.merged(one, other))
        if not found:
            raise Contradiction("alternatives that exclude each other")
        return found


def _types(_merger: Merger, first: Any, second: Any) -> Any:
    ours, theirs = (value if isinstance(value, list) else [value] for value in (first, second))
    common = [name for name in ours if name in theirs or (name == "integer" and "number" in theirs)]
    common += [name for name in theirs if name == "integer" and "number" in ours]
    common = list(dict.fromkeys(common))
    if not common:
        raise Contradiction("an allOf of different types")
    return common[0] if len(common) == 1 else common


def _union(_merger: Merger, first: Any, second: Any) -> Any:
    return list(dict.fromkeys([*first, *second]))


def _common(_merger: Merger, first: Any, second: Any) -> Any:
    values = [value for value in first if value in second]
    if not values:
        raise Contradiction("an allOf of different enums")
    return values


def _largest(_merger: Merger, first: Any, second: Any) -> Any:
    return max(first, second)


def _smallest(_merger: Merger, first: Any, second: Any) -> Any:
    return min(first, second)


_JOINS: Mapping[str, Callable[[Merger, Any, Any], Any]] = {
    "type": _types,
    "properties": Merger.properties,
    "items": Merger.merged,
    "additionalProperties": Merger.merged,
    "anyOf": Merger.branches,
    "oneOf": Merger.branches,
    "required": _union,
    "enum": _common,
    **dict.fromkeys(("minimum", "exclusiveMinimum", "minLength", "minItems"), _largest),
    **dict.fromkeys(("maximum", "exclusiveMaximum", "maxLength", "maxItems"), _smallest),
    "minProperties": _largest,
    "maxProperties": _smallest,
    "uniqueItems": _largest,
}
