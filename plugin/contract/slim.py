"""The part of a schema that a model needs, without what only people or generators use."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from plugin.contract.operation import Schema
from plugin.contract.requests.payload import json_bytes
from plugin.contract.schema import keywords
from plugin.contract.schema.validation import definitions_used, resolve
from plugin.contract.targets import ACTIONS_PARAMETER
from plugin.contract.words import cut, tidy

_DROP: Any = object()

_LONGEST_EXAMPLE = 40

_MACHINE_FORMATS = frozenset({"int32", "int64", "float", "double", "password", "string", "binary"})
"""Formats that say how a program stores a value, not how to write one."""

_TRIVIAL: Mapping[str, Any] = {
    **dict.fromkeys(("minLength", "minItems", "minProperties"), 0),
    **dict.fromkeys(("uniqueItems", "deprecated"), False),
    **dict.fromkeys(("unevaluatedProperties", "unevaluatedItems", "additionalProperties"), True),
    **dict.fromkeys(("readOnly", "writeOnly"), _DROP),
    "contentMediaType": _DROP,
    "default": None,
}
"""Values that say what is so anyway; _DROP stands for any value."""

_DEFINITION_MARKS = len('"":,')

_LARGEST_EXACT = 2**53 - 1

_LETTERS = re.compile(r"[\W_]+")


@dataclass(frozen=True, slots=True)
class _Small:
    """A definition made small, the names it refers to, and its length as compact JSON."""

    original: Schema
    schema: Schema
    uses: tuple[str, ...]
    length: int


class Slimmer:
    """Makes schemas small, each definition once for all the operations that use it."""

    def __init__(self, hidden: Literal["readOnly", "writeOnly"] = "readOnly") -> None:
        self._hidden = hidden
        self._kept: dict[int, _Small] = {}

    def slim(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        """A schema that accepts the same arguments, self-contained, shared parts in `$defs`."""
        own = {key: value for key, value in schema.items() if key != "$defs"}
        small = self.slim_within(own, schema.get("$defs", {}), None)
        return small if small is not None else own

    def slim_within(
        self, schema: dict[str, Any], definitions: Mapping[str, Schema], limit: int | None
    ) -> dict[str, Any] | None:
        """The same for a schema whose definitions lie elsewhere; None if it is over `limit` bytes.

        It stops at the limit, so that a large schema costs no more than a small one.
        """
        small = self._node(schema, definitions, "")
        # Nothing to pass is still an object of properties: every door wants to see them.
        if small.get("type") == "object":
            small.setdefault("properties", {})
        reached: dict[str, Schema] = {}
        length = 0 if limit is None else len(json_bytes("schema", small))
        waiting = list(definitions_used(small))[::-1]
        while waiting and (limit is None or length <= limit):
            name = waiting.pop()
            if name in reached or name not in definitions:
                continue
            part = self._definition(name, definitions)
            reached[name] = part.schema
            length += part.length + len(name) + _DEFINITION_MARKS
            waiting.extend(reversed(part.uses))
        if limit is not None and length > limit:
            return None
        return {**small, "$defs": reached} if reached else small

    def _definition(self, name: str, definitions: Mapping[str, Schema]) -> _Small:
        schema = definitions[name]
        kept = self._kept.get(id(schema))
        # An id may be given anew once its object is gone; the kept original tells.
        if kept is None or kept.original is not schema:
            small = self._schema(schema, definitions, name)
            uses = tuple(definitions_used(small))
            kept = _Small(schema, small, uses, len(json_bytes(name, small)))
            self._kept[id(schema)] = kept
        return kept

    def _schema(self, schema: Schema, definitions: Mapping[str, Schema], key: str) -> Schema:
        if isinstance(schema, bool):
            return {} if schema else schema
        return self._node(schema, definitions, key)

    def _node(
        self, schema: dict[str, Any], definitions: Mapping[str, Schema], key: str
    ) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for keyword, value in schema.items():
            small: Any
            if keyword in keywords.SCHEMA:
                small = value if isinstance(value, bool) else self._schema(value, definitions, "")
            elif keyword in keywords.SCHEMAS:
                small = [self._schema(item, definitions, "") for item in value]
                if keyword != "prefixItems":  # there the place of a schema says what it is for
                    small = _distinct(small)
            elif keyword in keywords.SCHEMA_MAP:
                small = self._members(value, definitions)
            elif keyword == "$ref":
                small = _alias(value, definitions)
            else:
                small = _VALUES.get(keyword, _as_is)(value)
            if small is not _DROP and not _is_trivial(keyword, small):
                found[keyword] = small
        _settle(found, schema, key)
        return _without_wrapping(found)

    def _members(
        self, members: Mapping[str, Schema], definitions: Mapping[str, Schema]
    ) -> dict[str, Schema]:
        return {
            name: self._schema(member, definitions, name)
            for name, member in members.items()
            if not self._is_hidden(member, definitions)
        }

    def _is_hidden(self, member: Schema, definitions: Mapping[str, Schema]) -> bool:
        if not isinstance(member, dict):
            return False
        if self._hidden in member:
            return member[self._hidden] is True
        if "$ref" not in member:
            return False
        target = resolve(member, {"$defs": definitions})
        return isinstance(target, dict) and target.get(self._hidden) is True


def _alias(reference: str, definitions: Mapping[str, Schema]) -> str:
    """The end of a chain of definitions that are nothing but a reference."""
    for _ in range(20):
        target = definitions.get(reference.rpartition("/")[2])
        if not (isinstance(target, dict) and set(target) == {"$ref"}):
            break
        reference = target["$ref"]
    return reference


def _as_is(value: Any) -> Any:
    return value


def _description(value: str) -> Any:
    return cut(tidy(value), ACTIONS_PARAMETER.number) or _DROP


def _format(value: str) -> Any:
    return _DROP if value in _MACHINE_FORMATS else value


def _type(value: str | list[str]) -> str | list[str]:
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def _examples(value: list[Any]) -> Any:
    """One short example tells a model the form; long ones are paid for at every call."""
    first = value[0] if value else None
    if isinstance(first, bool) or not isinstance(first, str | int | float):
        return _DROP
    return [first] if 0 < len(str(first)) <= _LONGEST_EXAMPLE else _DROP


def _distinct(values: list[Any]) -> list[Any]:
    seen: dict[str, Any] = {}
    for value in values:
        seen.setdefault(json.dumps(value, sort_keys=True, default=str), value)
    return list(seen.values())


def _bound(value: float) -> Any:
    """The ends of a machine's integers bind nobody who writes numbers as text."""
    return _DROP if abs(value) >= _LARGEST_EXACT else value


_VALUES: Mapping[str, Callable[[Any], Any]] = {
    "description": _description,
    "format": _format,
    "type": _type,
    "examples": _examples,
    "enum": _distinct,
    **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"), _bound),
}


def _is_trivial(keyword: str, value: Any) -> bool:
    if keyword not in _TRIVIAL:
        return False
    usual = _TRIVIAL[keyword]
    return usual is _DROP or value is usual or (value == usual and not isinstance(value, bool))


def _settle(found: dict[str, Any], schema: Mapping[str, Any], key: str) -> None:
    """Drops what neighbours make needless."""
    if "title" in found and ("description" in found or _same(found["title"], key) or not key):
        del found["title"]
    if "examples" in found and not _wants_example(found):
        del found["examples"]
    if found.get("additionalProperties") == {}:
        del found["additionalProperties"]
    if "required" in found:
        gone = set(schema.get("properties", ())) - set(found.get("properties", ()))
        kept = [name for name in found["required"] if name not in gone]
        if kept:
            found["required"] = kept
        else:
            del found["required"]


def _wants_example(found: Mapping[str, Any]) -> bool:
    """Whether text or a number is asked for whose form nothing else shows."""
    types = found.get("type", "string")
    scalar = not {"string", "number", "integer"}.isdisjoint(
        [types] if isinstance(types, str) else types
    )
    return scalar and {"enum", "const", "default"}.isdisjoint(found)


def _same(title: str, key: str) -> bool:
    return _LETTERS.sub("", title).lower() == _LETTERS.sub("", key).lower()


def _without_wrapping(found: dict[str, Any]) -> dict[str, Any]:
    """`allOf`, `anyOf`, `oneOf` of one schema is that schema, if nothing beside it disagrees."""
    for keyword in ("allOf", "anyOf", "oneOf"):
        branches = found.get(keyword)
        if not branches or len(branches) > 1 or not isinstance(branches[0], dict):
            continue
        own = {key: value for key, value in found.items() if key != keyword}
        if set(own) & set(branches[0]) <= {"description", "title", "examples", "default"}:
            return {**branches[0], **own}
    return found
