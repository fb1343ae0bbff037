"""The places of a call's arguments, each with the schemas that hold there."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jsonschema_rs

from plugin.contract.pointer import MISSING
from plugin.harness.argument_schema import ArgumentSchema, types_of
from plugin.harness.edits import Path

Schemas = tuple[dict[str, Any], ...]

_IN_PLACE = frozenset({"$ref", "allOf", "anyOf", "if"})
"""Keywords that say more of the same value by other schemas."""


@dataclass(frozen=True, slots=True)
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

    @property
    def types(self) -> frozenset[str]:
        """The types that all the schemas allow; empty where none says."""
        stated = [frozenset(types_of(schema)) for schema in self.schemas if "type" in schema]
        return frozenset.intersection(*stated) if stated else frozenset()

    @property
    def enum(self) -> list[Any] | None:
        """The values that are allowed, where they are counted out."""
        for schema in self.schemas:
            if "const" in schema:
                return [schema["const"]]
            if "enum" in schema:
                return list(schema["enum"])
        return None

    @property
    def properties(self) -> dict[str, Any]:
        """The keys that an object lists, with the schema of each."""
        if len(self.schemas) == 1:
            listed: dict[str, Any] = self.schemas[0].get("properties", {})
            return listed
        parts = [schema.get("properties", {}) for schema in self.schemas]
        return {key: part for listed in parts for key, part in listed.items()}

    @property
    def required_keys(self) -> frozenset[str]:
        """The keys that an object has to have."""
        return frozenset(key for schema in self.schemas for key in schema.get("required", ()))

    @property
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
        found: list[Site] = []
        self._walk(found, (), arguments, (self._schema.root,))
        return found or [Site((), arguments, ())]

    def _walk(
        self,
        found: list[Site],
        path: Path,
        value: Any,
        schemas: tuple[Any, ...],
        *,
        required: bool = False,
    ) -> None:
        holding = self._holding(schemas, value)
        if not holding:
            return
        site = Site(path, value, holding, required)
        found.append(site)
        if isinstance(value, dict):
            self._keys(found, site)
        elif isinstance(value, list):
            for index, item in enumerate(value):
                parts = tuple(_item(schema, index) for schema in holding)
                self._walk(found, (*path, index), item, parts)

    def _keys(self, found: list[Site], site: Site) -> None:
        required = site.required_keys
        for key, value in site.value.items():
            parts = tuple([_member(schema, key) for schema in site.schemas])
            self._walk(found, (*site.path, key), value, parts, required=key in required)
        for key, part in site.properties.items():
            if key not in site.value:
                self._walk(found, (*site.path, key), MISSING, (part,))

    def _holding(self, schemas: tuple[Any, ...], value: Any) -> Schemas:
        """Schemas and what they say of the same value through references and branches."""
        if len(schemas) == 1 and _says_all(schemas[0]):
            return schemas
        found: list[dict[str, Any]] = []
        for schema in schemas:
            self._gather(found, schema, value)
        return tuple(found)

    def _gather(self, found: list[dict[str, Any]], schema: Any, value: Any) -> None:
        if not isinstance(schema, dict) or any(schema is known for known in found):
            return
        found.append(schema)
        if "$ref" in schema:
            self._gather(found, self._schema.target(schema["$ref"]), value)
        for part in schema.get("allOf", ()):
            self._gather(found, part, value)
        if "anyOf" in schema:
            self._gather(found, self._branch(schema["anyOf"], value), value)
        if "if" in schema and value is not MISSING:
            branch = "then" if self._fits(schema["if"], value) else "else"
            self._gather(found, schema.get(branch, True), value)

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


def _says_all(schema: Any) -> bool:
    """Whether a schema says nothing by other schemas, as most do."""
    return isinstance(schema, dict) and schema.keys().isdisjoint(_IN_PLACE)


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
