"""A caller's JSON Schema in one form: usable keywords, every reference into its own definitions."""

from collections.abc import Iterable, Mapping
from copy import copy
from typing import Any

import jsonschema_rs

from plugin.contract.operation import Note, Schema
from plugin.contract.schema.dialect import Dialect, Links
from plugin.contract.schema.merge import Merger
from plugin.contract.schema.references import References, Unresolvable
from plugin.contract.schema.validation import definitions_used, subschemas, validator

_DEEPEST = 50
_MOST_NODES = 20_000
_MOST_VALUES = 1_000
"""What a schema may hold: beyond that, a grammar costs the engine seconds. OpenAI allows 10 levels,
5,000 properties and 1,000 values of enums in strict mode (plugin.contract.targets)."""

_MOST_PATHS = 10_000
_IN_PLACE = frozenset({"allOf", "anyOf", "oneOf", "not", "if", "then", "else", "dependentSchemas"})


class Oversized(ValueError):  # noqa: N818 - it says what the schema is
    """A schema larger than the embedded engine takes; the message says by what."""


class Form:
    """One schema, ready to be walked. Raises Oversized.

    `definitions` are what its references lead to, `validator` judges by the schema as written.
    """

    def __init__(self, written: Schema) -> None:
        measure(written)
        self.definitions: dict[str, Schema] = {}
        links = _Links(written)
        dialect = _JsonSchema(links, [], loose_references=False)
        self.root: Schema = dialect.translate(written, "")
        while links.waiting:
            name, pointer = links.waiting.popitem()
            self.definitions[name] = dialect.translate(links.value(pointer), pointer)
        _Paths(self.definitions).check([self.root, *self.definitions.values()])
        self.merger = Merger(self.definitions)
        self.recursive = _recursive(self.definitions)
        self.validator = _validator(written)

    def with_root(self, root: Schema) -> "Form":
        """The same definitions with another schema to start from; judged as before."""
        other = copy(self)
        other.root = root
        return other

    def accepts(self, schema: Schema, value: Any) -> bool:
        """Whether a part of this schema accepts a value."""
        if isinstance(schema, dict):
            schema = {**schema, "$defs": self.definitions}
        return validator(schema).is_valid(value)


def measure(schema: Any) -> None:
    """Refuses a schema that is too deep or too large to be worked on. Raises Oversized."""
    waiting, nodes, values = [(schema, 0)], 0, 0
    while waiting:
        node, depth = waiting.pop()
        nodes += 1
        if depth > _DEEPEST * 2:  # a level of a schema is two of JSON: `properties`, and a name
            raise Oversized(f"it is nested deeper than {_DEEPEST} levels")
        if nodes > _MOST_NODES:
            raise Oversized(f"it has more than {_MOST_NODES:,} parts")
        if isinstance(node, dict):
            values += len(node["enum"]) if isinstance(node.get("enum"), list) else 0
            waiting.extend((value, depth + 1) for value in node.values())
        elif isinstance(node, list):
            waiting.extend((value, depth + 1) for value in node)
        if values > _MOST_VALUES:
            raise Oversized(f"its enums list more than {_MOST_VALUES:,} values")


class _Paths:
    """Counts the ways through a schema that judge the same value: a validator walks all of them.

    Definitions that each name the next one twice have 2^n of them, and a circle has no end.
    """

    def __init__(self, definitions: Mapping[str, Schema]) -> None:
        self._definitions = definitions
        self._known: dict[str, int] = {}
        self._open: set[str] = set()

    def check(self, schemas: Iterable[Schema]) -> None:
        """Raises Oversized."""
        waiting = list(schemas)
        while waiting:
            schema = waiting.pop()
            self._count(schema)
            waiting.extend(subschemas(schema) if isinstance(schema, dict) else ())

    def _count(self, schema: Schema) -> int:
        if isinstance(schema, bool):
            return 1
        count = 1
        if "$ref" in schema:
            count += self._behind(schema["$ref"].rpartition("/")[2])
        for keyword in _IN_PLACE & schema.keys():
            parts = schema[keyword]
            if isinstance(parts, dict):
                parts = parts.values() if keyword == "dependentSchemas" else [parts]
            count += sum(map(self._count, parts if not isinstance(parts, bool) else ()))
        if count > _MOST_PATHS:
            raise Oversized("its parts refer to each other in too many ways")
        return count

    def _behind(self, name: str) -> int:
        if name in self._open:
            raise Oversized("a part of it refers to itself without end")
        if name not in self._known:
            self._open.add(name)
            self._known[name] = self._count(self._definitions[name])
            self._open.discard(name)
        return self._known[name]


class _JsonSchema(Dialect):
    """Without OpenAPI 3.0's `nullable`, which a validator of JSON Schema does not know."""

    def __init__(self, links: Links, notes: list[Note], *, loose_references: bool) -> None:
        super().__init__(links, notes, loose_references=loose_references)
        self._rules = {key: rule for key, rule in self._rules.items() if key != "nullable"}


class _Links:
    """Gives every place that a reference leads to a name among the definitions."""

    def __init__(self, written: Schema) -> None:
        self._references = References(written)
        self._names: dict[str, str] = {}
        self.waiting: dict[str, str] = {}

    def link(self, reference: Any, base: str, _pointer: str) -> str | None:
        try:
            pointer = self._references.ends(self._references.locate(reference, base))
        except Unresolvable:
            return None
        if pointer not in self._names:
            self._names[pointer] = f"d{len(self._names)}"
            self.waiting[self._names[pointer]] = pointer
        return f"#/$defs/{self._names[pointer]}"

    def value(self, pointer: str) -> Any:
        return self._references.value(pointer)

    def hides(self, _node: dict[str, Any]) -> bool:
        return False


def _validator(written: Schema) -> jsonschema_rs.Validator:
    try:
        return validator(written)
    except (ValueError, RecursionError) as error:
        raise Oversized(f"nothing can be checked by it: {str(error)[:200]}") from None


def _recursive(definitions: Mapping[str, Schema]) -> frozenset[str]:
    """The definitions that lead back to themselves."""
    uses = {name: tuple(definitions_used(schema)) for name, schema in definitions.items()}
    found = set()
    for name, first in uses.items():
        seen: set[str] = set()
        waiting = list(first)
        while waiting:
            following = waiting.pop()
            if following not in seen:
                seen.add(following)
                waiting.extend(uses.get(following, ()))
        if name in seen:
            found.add(name)
    return frozenset(found)
