"""The line of a schema that a call breaks: found by walking the schema along a fault's pointer."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import jsonschema_rs

from plugin.contract.pointer import MISSING, child, look_up, steps
from plugin.harness.faults import Fault, FaultKind

_ABOUT_ONE_VALUE = (
    *("type", "enum", "const", "pattern", "multipleOf", "minimum", "maximum"),
    *("exclusiveMinimum", "exclusiveMaximum", "minLength", "maxLength", "minItems", "maxItems"),
    *("uniqueItems", "minProperties", "maxProperties", "dependentRequired"),
)
_NOT_A_RULE = ("$defs", "title", "example", "examples", "xml")
_BRANCHES = ("allOf", "anyOf", "oneOf")
_UNLISTED = {FaultKind.UNKNOWN_KEY, FaultKind.NEAR_MISS_KEY}
_NOT_ABOUT_A_LINE = {
    FaultKind.NOT_JSON,
    FaultKind.UNKNOWN_FUNCTION,
    FaultKind.DUPLICATE_PARALLEL,
}


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A part of a schema: where it stands, what it says, and which of its keys is broken.

    `pointer` leads from the schema's root to the broken line; `broken` are pointers into `part`.
    """

    pointer: str
    part: Any
    broken: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Node:
    pointer: str
    schema: dict[str, Any]


def excerpt(schema: Any, fault: Fault, arguments: Any) -> Excerpt | None:
    """What the schema says where a fault is, None where no line of it is broken."""
    if fault.fault in _NOT_ABOUT_A_LINE or not isinstance(schema, dict):
        return None
    path = steps(fault.pointer)
    walk = _Walk(schema)
    if fault.fault is FaultKind.MISSING_REQUIRED:
        return _required(walk.along(path[:-1]), path[-1])
    if fault.fault in _UNLISTED:
        return _listed(walk.along(path[:-1]))
    return _asked(walk.along(path), look_up(arguments, fault.pointer))


class _Walk:
    def __init__(self, root: dict[str, Any]) -> None:
        self._root = root

    def along(self, path: list[str]) -> list[_Node]:
        """The schemas that speak of the value at a path, the most direct first."""
        nodes = list(self._same_value(_Node("", self._root), set()))
        for step in path:
            found = (part for node in nodes for part in _parts(node, step))
            nodes = [same for part in found for same in self._same_value(part, set())]
        return nodes

    def _same_value(self, node: _Node, seen: set[int]) -> Iterator[_Node]:
        """A schema, and those that it asks the same value to fit; references are followed."""
        if id(node.schema) in seen:
            return
        seen.add(id(node.schema))
        yield node
        reference = node.schema.get("$ref")
        if isinstance(reference, str) and reference.startswith("#"):
            target = look_up(self._root, reference[1:])
            if isinstance(target, dict):
                yield from self._same_value(_Node(reference[1:], target), seen)
        for keyword in _BRANCHES:
            for index, branch in enumerate(_list(node.schema.get(keyword))):
                if isinstance(branch, dict):
                    inner = _Node(f"{node.pointer}/{keyword}/{index}", branch)
                    yield from self._same_value(inner, seen)


def _parts(node: _Node, step: str) -> Iterator[_Node]:
    """What a schema says of one key or item of its value."""
    properties = node.schema.get("properties")
    places: list[tuple[str, ...]] = [("additionalProperties",)]
    if isinstance(properties, dict) and step in properties:
        places = [("properties", step)]
    if step.isdecimal():
        places += [("prefixItems", step), ("items",)]
    for place in places:
        pointer = ""
        for key in place:
            pointer = child(pointer, key)
        found = look_up(node.schema, pointer)
        if isinstance(found, dict):
            yield _Node(node.pointer + pointer, found)


def _required(nodes: list[_Node], key: str) -> Excerpt | None:
    for node in nodes:
        if key in _list(node.schema.get("required")):
            part: dict[str, Any] = {"required": node.schema["required"]}
            listed = look_up(node.schema, child("/properties", key))
            if listed is not MISSING:
                part["properties"] = {key: _outline(listed)}
            place = f"/required/{_list(node.schema['required']).index(key)}"
            return Excerpt(f"{node.pointer}/required", part, (place,))
    return None


def _listed(nodes: list[_Node]) -> Excerpt | None:
    for node in nodes:
        properties = node.schema.get("properties")
        if isinstance(properties, dict):
            part: dict[str, Any] = {
                "properties": {key: _kind(known) for key, known in properties.items()}
            }
            broken = "/properties"
            if "additionalProperties" in node.schema:
                part["additionalProperties"] = node.schema["additionalProperties"]
                broken = "/additionalProperties"
            return Excerpt(node.pointer + broken, part, (broken,))
    return None


def _asked(nodes: list[_Node], value: Any) -> Excerpt | None:
    """The first schema with a keyword that the value does not fit; else the most direct one."""
    for node in nodes:
        broken = tuple(f"/{keyword}" for keyword in _broken(node.schema, value))
        if broken:
            return Excerpt(node.pointer + broken[0], _outline(node.schema), broken)
    if not nodes:
        return None
    return Excerpt(nodes[0].pointer, _outline(nodes[0].schema), ())


def _broken(schema: dict[str, Any], value: Any) -> Iterator[str]:
    for keyword in _ABOUT_ONE_VALUE:
        if keyword not in schema:
            continue
        # A keyword that is written wrongly is the document's fault, and no line to show.
        with suppress(ValueError):
            only = {keyword: schema[keyword]}
            if not jsonschema_rs.Draft202012Validator(only).is_valid(value):
                yield keyword


def _outline(schema: Any) -> Any:
    """A schema without what lies deeper in it."""
    if not isinstance(schema, dict):
        return schema
    shown = {key: value for key, value in schema.items() if key not in _NOT_A_RULE}
    for key in ("properties", "patternProperties"):
        if isinstance(shown.get(key), dict):
            shown[key] = dict.fromkeys(shown[key], "…")
    for key in ("items", "additionalProperties"):
        if isinstance(shown.get(key), dict):
            shown[key] = _kind(shown[key])
    return shown


def _kind(schema: Any) -> Any:
    """No more of a schema than what kind of value it takes."""
    if not isinstance(schema, dict):
        return schema
    return {key: value for key, value in schema.items() if key in ("type", "$ref")}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
