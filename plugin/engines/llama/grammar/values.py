"""The values of a schema, and of each of its parts, as parts of a grammar."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from plugin.contract.operation import Schema
from plugin.contract.schema.merge import Contradiction, Inexpressible
from plugin.engines.llama.grammar import numbers as number_grammar
from plugin.engines.llama.grammar.compact_json import compact
from plugin.engines.llama.grammar.composites import closed_list, open_list, ordered, several
from plugin.engines.llama.grammar.lark import (
    EMPTY,
    Part,
    Rules,
    TooLarge,
    choice,
    enclosed,
    literal,
    one_of,
    sequence,
)
from plugin.engines.llama.grammar.schema_form import Form
from plugin.engines.llama.grammar.schema_kinds import (
    ALL_TYPES,
    WORDS,
    disjoint,
    first_of_all,
    types_of,
)
from plugin.engines.llama.grammar.strings import string

_UNWRITTEN = frozenset(
    {"not", "if", "dependentRequired", "dependentSchemas", "contains", "uniqueItems"}
    | {"unevaluatedItems", "unevaluatedProperties", "propertyNames"}
)
"""Keywords that no grammar says; whoever uses them gets its values checked."""

_NAME = Part(r'("\"" /[A-Za-z_][A-Za-z0-9_-]{0,23}/ "\"")', 26, '"a"')
_SIMPLE: Mapping[str, Callable[[Mapping[str, Any], int], Part | None]] = {
    "string": string,
    "integer": lambda schema, _most: number_grammar.integer(schema),
    "number": lambda schema, _most: number_grammar.number(schema),
    "boolean": lambda _schema, _most: choice([literal("true"), literal("false")]),
    "null": lambda _schema, _most: literal("null"),
}

_MOST_COST = 40_000
_MOST_TEXT = 120_000
"""Elements and characters of a grammar: the engine reads as many in about a second."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How far values go whose schema sets no end.

    `text` is in characters, `items` a list's, `levels` those of recursion; `free` the levels,
    `free_text` the characters of values that no schema describes.
    """

    text: int
    items: int
    levels: int
    free: int = 1
    free_text: int = 60


class Writer:
    """Writes the grammar of one schema; what is written twice becomes one rule."""

    def __init__(self, form: Form, bounds: Bounds) -> None:
        self._form = form
        self._bounds = bounds
        self._rules = Rules()
        self._defined: dict[tuple[str, int], Part | None] = {}
        self._level = 0

    def root(self) -> Part | None:
        """The part for the whole schema; None where no value fits it. Raises TooLarge."""
        return self._value(self._form.root, root=True)

    def text(self, root: Part) -> str:
        """The grammar that begins with `root`."""
        return self._rules.text(root)

    def _rule(self, part: Part) -> Part:
        name = self._rules.add(part)
        if self._rules.cost > _MOST_COST or self._rules.size > _MOST_TEXT:
            raise TooLarge(f"its grammar has more than {_MOST_COST:,} elements")
        return name

    def _value(self, schema: Schema, *, root: bool = False) -> Part | None:
        """A part for the values of a schema; None where there is none."""
        exact = True
        try:
            schema = self._form.merger.flattened(schema)
        except Contradiction:
            return None
        except Inexpressible:
            exact = False
            schema = first_of_all(schema)
        if schema is False:
            return None
        part = self._object_or_any(schema, root=root)
        return part if part is None or exact else replace(part, exact=False)

    def _object_or_any(self, schema: Schema, *, root: bool) -> Part | None:
        if isinstance(schema, bool):
            return self._free(self._bounds.free)
        if "$ref" in schema:
            return self._reference(schema["$ref"])
        for keyword in ("anyOf", "oneOf"):
            if keyword in schema:
                return self._alternatives(schema, keyword, root=root)
        part = self._plain(schema, root=root)
        if part is None or not (_UNWRITTEN & schema.keys()):
            return part
        return replace(part, exact=False)

    def _reference(self, reference: str) -> Part | None:
        """What a definition says; one that leads back to itself does so only so many times."""
        name = reference.rpartition("/")[2]
        further = name in self._form.recursive
        if further and self._level >= self._bounds.levels:
            return None
        self._level += further
        try:
            key = (name, self._level)
            if key not in self._defined:
                part = self._value(self._form.definitions[name])
                self._defined[key] = part and self._rule(part)
            return self._defined[key]
        finally:
            self._level -= further

    def _alternatives(self, schema: dict[str, Any], keyword: str, *, root: bool) -> Part | None:
        """Any of the branches, each with what stands beside them."""
        beside = {key: schema[key] for key in schema if key != keyword and key not in WORDS}
        parts: list[Part] = []
        for branch in schema[keyword]:
            try:
                whole = self._form.merger.merged(beside, branch) if beside else branch
            except Contradiction:
                continue
            except Inexpressible:
                part = self._value(branch, root=root)
                parts += [replace(part, exact=False)] if part else []
                continue
            part = self._value(whole, root=root)
            parts += [part] if part else []
        if not parts:
            return None
        found = choice(parts)
        apart = keyword == "anyOf" or len(schema[keyword]) == 1 or disjoint(schema[keyword])
        return found if apart else replace(found, exact=False)

    def _plain(self, schema: dict[str, Any], *, root: bool) -> Part | None:
        values = [schema["const"]] if "const" in schema else schema.get("enum")
        if values is not None:
            return self._values(schema, values)
        types = types_of(schema)
        parts = [self._typed(schema, name, root=root) for name in types]
        found = [part for part in parts if part is not None]
        return self._rule(choice(found)) if found else None

    def _values(self, schema: dict[str, Any], values: Sequence[Any]) -> Part | None:
        fitting = list(values)
        if len(schema.keys() - WORDS) > 1:
            fitting = [value for value in values if self._form.accepts(schema, value)]
        if not fitting:
            return None
        return self._rule(one_of(map(compact, fitting)))

    def _typed(self, schema: dict[str, Any], name: str, *, root: bool) -> Part | None:
        if name == "array":
            return self._array(schema)
        if name == "object":
            return self._object(schema, root=root)
        return _SIMPLE[name](schema, self._bounds.text)

    def _array(self, schema: dict[str, Any]) -> Part | None:
        least, most = schema.get("minItems", 0), schema.get("maxItems", 2**31)
        if least > most:
            return None
        first = [self._value(item) for item in schema.get("prefixItems", ())][:most]
        if None in first:
            first = first[: first.index(None)]
        leading = [part for part in first if part is not None]
        closed = len(leading) < len(schema.get("prefixItems", ())) or most <= len(leading)
        item = None if closed else self._value(schema.get("items", True))
        if item is None:
            return closed_list(leading, least)
        most = max(least, min(most, self._bounds.items))
        return open_list(leading, item, least, most, self._rule)

    def _object(self, schema: dict[str, Any], *, root: bool) -> Part | None:
        required = frozenset(schema.get("required", ()))
        members = self._members(schema, required)
        if members is None:
            return None
        declared = "properties" in schema or root
        if not members and not (declared and not schema.get("minProperties")):
            return self._map(schema)
        least, most = schema.get("minProperties", 0), schema.get("maxProperties", len(members))
        if most < len(required):
            return None
        part = ordered(members, required, self._rule)
        counted = least <= len(required) and most >= len(members)
        return part if counted else replace(part, exact=False)

    def _members(self, schema: dict[str, Any], required: frozenset[str]) -> dict[str, Part] | None:
        """A part for each property that can be given; None where a required one cannot."""
        declared: Mapping[str, Schema] = schema.get("properties", {})
        beyond = schema.get("additionalProperties", True)
        every = {**declared, **{name: beyond for name in required if name not in declared}}
        found: dict[str, Part] = {}
        for name, member in every.items():
            value = self._value(member)
            if value is not None:
                key = literal(compact(name) + ":")
                found[name] = self._rule(sequence([key, value]))
            elif name in required:
                return None
        if "patternProperties" in schema and found:
            return {name: replace(part, exact=False) for name, part in found.items()}
        return found

    def _map(self, schema: dict[str, Any]) -> Part | None:
        """An object of whatever names."""
        least = schema.get("minProperties", 0)
        most = min(schema.get("maxProperties", 2**31), max(self._bounds.items, least))
        names, exact = schema.get("propertyNames", {}), least <= 1
        beyond = schema.get("additionalProperties", True)
        for expression, member in schema.get("patternProperties", {}).items():
            names, beyond, exact = {"pattern": expression}, member, False
        name = self._name(names)
        value = self._value(beyond) if most and name else None
        if value is None or name is None:
            return None if least else literal("{}")
        pair = self._rule(sequence([name, literal(":"), value]))
        part = enclosed("{", [several(pair, least, most, self._rule)], "}")
        return part if exact else replace(part, exact=False)

    def _name(self, schema: Schema) -> Part | None:
        """A member's name; who says what names there are gets the object checked."""
        if isinstance(schema, bool) or not schema.keys() - WORDS:
            return None if schema is False else _NAME
        try:
            return self._value(self._form.merger.merged({"type": "string"}, schema))
        except Contradiction:
            return None
        except Inexpressible:
            return _NAME

    def _free(self, levels: int) -> Part:
        """Any value, objects and lists so many levels deep."""
        types = ALL_TYPES if levels else ALL_TYPES[:4]
        parts = [self._free_of(name, levels) for name in types]
        return self._rule(choice(parts))

    def _free_of(self, name: str, levels: int) -> Part:
        if name not in ("array", "object"):
            return _SIMPLE[name]({}, self._bounds.free_text) or EMPTY
        inner = self._free(levels - 1)
        if name == "array":
            return enclosed("[", [several(inner, 0, self._bounds.items, self._rule)], "]")
        pair = self._rule(sequence([self._name({}) or EMPTY, literal(":"), inner]))
        return enclosed("{", [several(pair, 0, self._bounds.items, self._rule)], "}")
