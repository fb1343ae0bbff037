"""The subset of JSON Schema that strict function calling knows: every object closed and complete.

Nothing is emitted that would accept other calls than the contract: what has no words in the subset
is left out where a call can do without it, else Inexpressible. Limits of single values that the
subset lacks (`maxLength`) become words of the description. Optional turns into nullable; `nulls`
undoes it.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from plugin.contract.limits import Excess, Measure, excess, measure, together
from plugin.contract.operation import Schema
from plugin.contract.schema.merge import Contradiction, Inexpressible, Merger
from plugin.contract.schema.validation import definitions_used
from plugin.contract.subset import (
    NULL,
    described,
    description,
    nullable,
    of_values,
    scalar,
    types_of,
)

__all__ = ["Inexpressible", "Strict", "TooLarge"]

_MERGED = frozenset({"$ref", "allOf", "anyOf", "oneOf"})

_LOGIC = ("not", "if", "contains", "dependentRequired", "dependentSchemas")

_WORDS = frozenset({"description", "title", "default", "examples", "deprecated"})


class TooLarge(Inexpressible):
    """A schema that the subset has words for, but too many; `excesses` say how many."""

    def __init__(self, excesses: Sequence[Excess]) -> None:
        super().__init__("; ".join(map(str, excesses)))
        self.excesses = tuple(excesses)


@dataclass(frozen=True, slots=True)
class _Converted:
    """A definition in the subset, what it refers to, what it counts, what was left out of it."""

    schema: dict[str, Any]
    uses: tuple[str, ...]
    measure: Measure
    left_out: tuple[str, ...]


class Strict:
    """Puts slim schemas into the strict subset. `definitions` are all that they refer to."""

    def __init__(self, definitions: Mapping[str, Schema]) -> None:
        self._definitions = definitions
        self._merger = Merger(definitions)
        self._impossible: dict[str, str] = {}
        self._left_out: list[str] = []
        self._open: set[str] = set()
        self._converted = self._convert_definitions()

    def convert(self, schema: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
        """The schema of one tool, and what had to be left out of it, by what it was left out of.

        Raises Inexpressible, also for a schema over the limits of strict mode.
        """
        own = {key: value for key, value in schema.items() if key != "$defs"}
        if "anyOf" in own or "oneOf" in own:
            raise Inexpressible("alternatives at the root")
        self._left_out = []
        root = self._object(_without_logic(own), root=True)
        left_out = {"": "; ".join(self._left_out)} if self._left_out else {}
        parts = self._reached(root)
        over = excess(together([measure(root), *(part.measure for part in parts.values())]))
        if over:
            raise TooLarge(over)
        if not parts:
            return root, left_out
        left_out |= {
            name: "; ".join(part.left_out) for name, part in parts.items() if part.left_out
        }
        return {**root, "$defs": {name: part.schema for name, part in parts.items()}}, left_out

    def _reached(self, root: dict[str, Any]) -> dict[str, _Converted]:
        found: dict[str, _Converted] = {}
        waiting = list(definitions_used(root))[::-1]
        while waiting:
            name = waiting.pop()
            if name not in found:
                found[name] = self._converted[name]
                waiting.extend(reversed(found[name].uses))
        return found

    def _convert_definitions(self) -> dict[str, _Converted]:
        """Every definition that can be expressed.

        A definition may need one that cannot, and may be needed by others in a circle: all are
        taken to be possible until one fails, and then the others are tried again.
        """
        while True:
            converted: dict[str, _Converted] = {}
            failed: dict[str, str] = {}
            for name in self._definitions:
                if name in self._impossible:
                    continue
                try:
                    converted[name] = self._definition(name)
                except Inexpressible as reason:
                    failed[name] = str(reason)
            if not failed:
                return converted
            self._impossible |= failed

    def _definition(self, name: str) -> _Converted:
        self._left_out = []
        schema = self._schema(self._definitions[name])
        uses = tuple(definitions_used(schema))
        return _Converted(schema, uses, measure(schema, name), tuple(self._left_out))

    def _schema(self, schema: Schema) -> dict[str, Any]:
        if isinstance(schema, bool) or _MERGED.isdisjoint(schema) or set(schema) <= {"$ref"}:
            return self._expanded(schema)
        # What stands beside a reference is merged into a copy of what it leads to, and a schema
        # that contains itself so would be copied without end.
        key = json.dumps(schema, sort_keys=True, default=str)
        if key in self._open:
            raise Inexpressible("a schema that contains itself, with more beside the reference")
        self._open.add(key)
        try:
            return self._expanded(schema)
        finally:
            self._open.discard(key)

    def _expanded(self, schema: Schema) -> dict[str, Any]:
        schema = self._merger.flattened(schema)
        if isinstance(schema, bool):
            raise Inexpressible("a value of any type" if schema else "a value that cannot be")
        if "$ref" in schema:
            return self._reference(schema)
        schema = _without_logic(self._without_not(schema))
        if "oneOf" in schema or "anyOf" in schema:
            return self._alternatives(schema)
        values = [schema["const"]] if "const" in schema else schema.get("enum")
        if values is not None:
            return described(schema, of_values(schema, values))
        return self._of_types(schema, types_of(schema))

    def _of_types(self, schema: dict[str, Any], types: Sequence[str]) -> dict[str, Any]:
        plain = [name for name in types if name != "null"]
        if not types:
            raise Inexpressible("a value of any type")
        if len(plain) <= 1:
            found = self._typed(schema, plain[0] if plain else "null")
            return nullable(found) if len(types) > len(plain) else found
        words = {key: schema[key] for key in schema if key in _WORDS}
        inner = {key: schema[key] for key in schema if key not in _WORDS}
        branches: list[Schema] = [{**inner, "type": name} for name in types]
        return self._alternatives({**words, "anyOf": branches})

    def _without_not(self, schema: dict[str, Any]) -> dict[str, Any]:
        """`not: {required: [a, b]}` is "without a, or without b", which alternatives can say."""
        forbidden = schema.get("not")
        if not (isinstance(forbidden, dict) and set(forbidden) == {"required"}):
            return schema
        rest = {key: value for key, value in schema.items() if key != "not"}
        without = [{"properties": {name: False}} for name in forbidden["required"]]
        whole = self._merger.merged(rest, {"anyOf": without})
        return whole if isinstance(whole, dict) else rest

    def _reference(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        name = schema["$ref"].rpartition("/")[2]
        if name in self._impossible:
            raise Inexpressible(self._impossible[name])
        if name not in self._definitions:
            raise Inexpressible(f"a reference to {name}, which is not there")
        reference = {"$ref": schema["$ref"]}
        words = description(schema)
        # The subset allows nothing beside `$ref`.
        return {"description": words, "anyOf": [reference]} if words else reference

    def _alternatives(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        keyword = "anyOf" if "anyOf" in schema else "oneOf"
        beside = {key: schema[key] for key in schema if key != keyword and key not in _WORDS}
        branches: list[dict[str, Any]] = []
        refused = ""
        for branch in schema[keyword]:
            try:
                found = self._schema(self._merger.merged(beside, branch) if beside else branch)
            except Contradiction:
                continue
            except Inexpressible as reason:
                refused = str(reason)
                self._left_out.append(f"an alternative ({reason})")
                continue
            inner = found["anyOf"] if set(found) == {"anyOf"} else [found]
            branches += [part for part in inner if part not in branches]
        if not branches or (branches == [NULL] and refused):
            raise Inexpressible(refused or "alternatives that no value fits")
        if len(branches) == 1 and "$ref" not in branches[0]:
            return described(schema, branches[0])
        return described(schema, {"anyOf": branches})

    def _typed(self, schema: Mapping[str, Any], name: str) -> dict[str, Any]:
        if name == "object":
            return self._object(schema)
        kept = self._array(schema) if name == "array" else scalar(schema, name)
        return described({**schema, "type": name}, kept)

    def _array(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        if "prefixItems" in schema:
            raise Inexpressible("a list whose places differ")
        if "items" not in schema:
            raise Inexpressible("a list of anything")
        kept = {"type": "array", "items": self._schema(schema["items"])}
        return kept | {key: schema[key] for key in ("minItems", "maxItems") if key in schema}

    def _object(self, schema: Mapping[str, Any], *, root: bool = False) -> dict[str, Any]:
        declared: Mapping[str, Schema] = schema.get("properties", {})
        if not declared and not root and schema.get("additionalProperties") is not False:
            raise Inexpressible("a free-form object")
        required = frozenset(schema.get("required", ()))
        properties: dict[str, Any] = {}
        for name, member in [*declared.items(), *self._undeclared(schema)]:
            found = self._property(name, member, required=name in required)
            if found is not None:
                properties[name] = found
        if declared and not properties and not root:
            raise Inexpressible("an object of which nothing can be expressed")
        kept = {
            "type": "object",
            "properties": properties,
            "required": list(properties),
            "additionalProperties": False,
        }
        return described({**schema, "type": "object"}, kept)

    def _undeclared(self, schema: Mapping[str, Any]) -> Iterator[tuple[str, Schema]]:
        """What is required beyond the properties: `additionalProperties` describe it, or none."""
        extra = schema.get("additionalProperties")
        for name in schema.get("required", ()):
            if name in schema.get("properties", ()):
                continue
            if isinstance(extra, dict):
                yield name, extra
            else:
                self._left_out.append(f"{name} (required, but described nowhere)")

    def _property(self, name: str, member: Schema, *, required: bool) -> dict[str, Any] | None:
        if member is False:
            if required:
                raise Contradiction(f"{name} is required and forbidden")
            return None
        before = len(self._left_out)
        try:
            found = self._schema(member)
        except Inexpressible as reason:
            del self._left_out[before:]
            if required:
                raise type(reason)(f"{name} is required: {reason}") from reason
            self._left_out.append(f"{name} ({reason})")
            return None
        self._left_out[before:] = [f"{name}: {what}" for what in self._left_out[before:]]
        return found if required else nullable(found)


def _without_logic(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema, if it uses no keyword that sets its parts in relation. Raises Inexpressible."""
    for keyword in _LOGIC:
        if keyword in schema:
            raise Inexpressible(f"the keyword {keyword}")
    return schema
