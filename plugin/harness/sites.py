"""The places of a call's arguments, each with the schemas that hold there."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jsonschema_rs

from plugin.contract.pointer import MISSING
from plugin.harness.argument_schema import ArgumentSchema, types_of
from plugin.harness.edits import Path

Schemas = tuple[dict[str, Any], ...]


@dataclass(frozen=True)
class Site:
    """One place: the value there, MISSING for an optional key that a call left out.

    `schemas` are all that speak of the value: its own, what they refer to, the branch that it fits.
    `required` is whether it is a key that has to be there; items and the root are not keys.
    """

    path: Path
    value: Any
    schemas: Schemas
    required: bool = False

    @property
    def is_key(self) -> bool:
        """Whether it is the value of a key, not an item of a list or the whole."""
        return bool(self.path) and isinstance(self.path[-1], str)

    @cached_property
    def types(self) -> frozenset[str]:
        """The types that all the schemas allow; empty where none says."""
        stated = [frozenset(types_of(schema)) for schema in self.schemas if "type" in schema]
        return frozenset.intersection(*stated) if stated else frozenset()

    @cached_property
    def enum(self) -> list[Any] | None:
        """The values that are allowed, where they are counted out."""
        for schema in self.schemas:
            if "const" in schema:
                return [schema["const"]]
            if "enum" in schema:
                return list(schema["enum"])
        return None

    @cached_property
    def properties(self) -> dict[str, Any]:
        """The keys that an object lists, with the schema of each."""
        listed = [schema.get("properties", {}) for schema in self.schemas]
        return listed[0] if len(listed) == 1 else {k: v for part in listed for k, v in part.items()}

    @cached_property
    def required_keys(self) -> frozenset[str]:
        """The keys that an object has to have."""
        return frozenset(key for schema in self.schemas for key in schema.get("required", ()))

    @cached_property
    def is_closed(self) -> bool:
        """Whether an object takes the keys that it lists and no others."""
        return any(
            schema.get("additionalProperties") is False and "patternProperties" not in schema
            for schema in self.schemas
        )


class Sites:
    """Walks the arguments of one tool. Calls are expected to fit its schema."""

    def __init__(self, schema: ArgumentSchema) -> None:
        self._schema = schema
        self._validators: dict[int, jsonschema_rs.Draft202012Validator] = {}

    def of(self, arguments: Any) -> list[Site]:
        """The whole, then every place inside it that a schema speaks of."""
        root = Site((), arguments, ())
        return list(self._walk((), arguments, (self._schema.root,), required=False)) or [root]

    def _walk(
        self, path: Path, value: Any, schemas: tuple[Any, ...], *, required: bool
    ) -> Iterator[Site]:
        seen: set[int] = set()
        holding = tuple(found for schema in schemas for found in self._holding(schema, value, seen))
        if not holding:
            return
        site = Site(path, value, holding, required)
        yield site
        if isinstance(value, dict):
            yield from self._keys(site)
        elif isinstance(value, list):
            for index, item in enumerate(value):
                parts = tuple(_item(schema, index) for schema in holding)
                yield from self._walk((*path, index), item, parts, required=False)

    def _keys(self, site: Site) -> Iterator[Site]:
        required = site.required_keys
        for key, value in site.value.items():
            parts = tuple(_member(schema, key) for schema in site.schemas)
            yield from self._walk((*site.path, key), value, parts, required=key in required)
        for key, part in site.properties.items():
            if key not in site.value:
                yield from self._walk((*site.path, key), MISSING, (part,), required=False)

    def _holding(self, schema: Any, value: Any, seen: set[int]) -> Iterator[dict[str, Any]]:
        """A schema and what it says of the same value through references and branches."""
        if not isinstance(schema, dict) or id(schema) in seen:
            return
        seen.add(id(schema))
        yield schema
        if "$ref" in schema:
            yield from self._holding(self._schema.target(schema["$ref"]), value, seen)
        for part in schema.get("allOf", ()):
            yield from self._holding(part, value, seen)
        if "anyOf" in schema:
            yield from self._holding(self._branch(schema["anyOf"], value), value, seen)
        if "if" in schema and value is not MISSING:
            branch = "then" if self._fits(schema["if"], value) else "else"
            yield from self._holding(schema.get(branch, True), value, seen)

    def _branch(self, branches: list[Any], value: Any) -> Any:
        """The branch that the value fits; for a key left out, the first that is not null."""
        telling = [branch for branch in branches if not _is_null(branch)]
        if value is MISSING or (len(telling) == 1 and value is not None):
            return telling[0] if telling else True
        return next((branch for branch in branches if self._fits(branch, value)), True)

    def _fits(self, schema: Any, value: Any) -> bool:
        """Branches are compiled once: most calls of a tool take the same."""
        if id(schema) not in self._validators:
            document = self._schema.document(schema)
            self._validators[id(schema)] = jsonschema_rs.Draft202012Validator(document)
        return self._validators[id(schema)].is_valid(value)


def _is_null(branch: Any) -> bool:
    return isinstance(branch, dict) and branch.get("type") in ("null", ["null"])


def _member(schema: Mapping[str, Any], key: str) -> Any:
    properties = schema.get("properties", {})
    if key in properties or "patternProperties" in schema:
        return properties.get(key)
    return schema.get("additionalProperties")


def _item(schema: Mapping[str, Any], index: int) -> Any:
    first = schema.get("prefixItems", ())
    return first[index] if index < len(first) else schema.get("items")
