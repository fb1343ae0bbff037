"""A tool's schema as masking needs it: what it lists itself, and whether a value still fits."""

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

import jsonschema_rs

from plugin.contract.pointer import look_up
from plugin.harness.faults import alike
from plugin.harness.judge import Tool

Path = tuple[str | int, ...]
"""The keys and indexes that lead to a part of a value."""

_BRANCHES = ("allOf", "anyOf", "oneOf", "if", "then", "else")
_DEEPEST = 40


class Schema:
    """The schema of a tool's arguments, as masking needs it: what it lists, what it refuses."""

    def __init__(self, name: str, schema: Any) -> None:
        self._tool = Tool(name, schema)
        self._written = schema

    def refuses(self, arguments: Any) -> tuple[Any, ...]:
        """What is wrong with arguments; equal for equally wrong ones."""
        faults = [(fault.pointer, fault.fault) for fault in self._tool.faults(arguments)]
        return (*faults, self._formats is not None and self._formats.is_valid(arguments))

    def lists(self, path: Path, value: Any) -> bool:
        """Whether the schema itself names the value at that place, or nearly so."""
        here = [self._written]
        for step in path:
            here = [deeper for schema in here for deeper in self._step(schema, step)]
        named = (one for schema in here for each in self._all(schema) for one in _listed(each))
        return any(one == value or alike(one, value) for one in named)

    @cached_property
    def _formats(self) -> jsonschema_rs.Draft202012Validator | None:
        try:
            return jsonschema_rs.Draft202012Validator(self._written, validate_formats=True)
        except (ValueError, jsonschema_rs.ReferencingError):
            return None

    def _step(self, schema: Any, step: str | int) -> Iterator[Any]:
        for one in self._all(schema):
            yield from _items(one, step) if isinstance(step, int) else _members(one, step)

    def _all(self, schema: Any, depth: int = 0) -> Iterator[dict[str, Any]]:
        """A schema and those it is put together from."""
        if not isinstance(schema, dict) or depth > _DEEPEST:
            return
        yield schema
        reference = schema.get("$ref")
        if isinstance(reference, str) and reference.startswith("#"):
            yield from self._all(look_up(self._written, reference[1:]), depth + 1)
        for keyword in _BRANCHES:
            branches = schema.get(keyword)
            for branch in branches if isinstance(branches, list) else [branches]:
                yield from self._all(branch, depth + 1)


class Fits:
    """Whether other arguments are as right or as wrong as the original ones."""

    def __init__(self, schema: Schema, arguments: Any) -> None:
        self._schema = schema
        self._before = schema.refuses(arguments)

    def __call__(self, arguments: Any) -> bool:
        """Whether these are."""
        return self._schema.refuses(arguments) == self._before


def _members(schema: dict[str, Any], name: str) -> Iterator[Any]:
    properties = schema.get("properties")
    if isinstance(properties, Mapping) and name in properties:
        yield properties[name]
    yield schema.get("additionalProperties")


def _items(schema: dict[str, Any], index: int) -> Iterator[Any]:
    first = schema.get("prefixItems")
    if isinstance(first, list) and index < len(first):
        yield first[index]
    yield schema.get("items")


def _listed(schema: dict[str, Any]) -> Iterator[Any]:
    choices = schema.get("enum")
    yield from choices if isinstance(choices, list) else ()
    if "const" in schema:
        yield schema["const"]
