"""Every place of the arguments is found, with all that is said of it."""

from typing import Any

import pytest

from plugin.contract.pointer import MISSING
from plugin.harness.argument_schema import read
from plugin.harness.sites import Site, Sites

NODE = {
    "type": "object",
    "properties": {"value": {"type": "integer"}, "next": {"$ref": "#/$defs/node"}},
    "required": ["value"],
}


def found(schema: Any, arguments: Any) -> dict[tuple[Any, ...], Site]:
    return {site.path: site for site in Sites(read(schema)).of(arguments)}


def test_places_in_objects_lists_and_references() -> None:
    schema = {
        "type": "object",
        "properties": {
            "node": {"$ref": "#/$defs/node"},
            "tags": {"type": "array", "items": {"type": "string"}},
        },
        "required": ["node"],
        "$defs": {"node": NODE},
    }
    sites = found(schema, {"node": {"value": 1, "next": {"value": 2}}, "tags": ["a", "b"]})
    assert list(sites) == [
        (),
        ("node",),
        ("node", "value"),
        ("node", "next"),
        ("node", "next", "value"),
        ("node", "next", "next"),
        ("tags",),
        ("tags", 0),
        ("tags", 1),
    ]
    assert sites["node", "next", "value"].types == {"integer"}
    assert sites["node", "next", "value"].required
    assert sites["node", "next", "next"].value is MISSING
    assert not sites["tags", 1].required
    assert not sites["tags", 1].is_key
    assert sites["node",].is_closed


def test_all_that_is_said_of_a_value_counts() -> None:
    schema = {
        "type": "object",
        "allOf": [
            {"properties": {"a": {"type": ["string", "null"]}}, "required": ["a"]},
            {"properties": {"a": {"enum": ["x", "y"], "type": "string"}, "b": {}}},
        ],
    }
    sites = found(schema, {"a": "x"})
    assert sites["a",].types == {"string"}
    assert sites["a",].enum == ["x", "y"]
    assert sites["a",].required
    assert set(sites[()].properties) == {"a", "b"}
    assert not sites[()].is_closed


@pytest.mark.parametrize(
    ("value", "types"),
    [(1, {"integer"}), ("x", {"string"}), ({"b": 1}, {"object"}), (None, {"null"})],
)
def test_the_branch_that_the_value_fits(value: Any, types: set[str]) -> None:
    branches = [
        {"type": "integer"},
        {"type": "object", "properties": {"a": {}}, "required": ["a"]},
        {"type": "object", "properties": {"b": {"type": "integer"}}, "required": ["b"]},
        {"type": "string"},
        {"type": "null"},
    ]
    sites = found({"type": "object", "properties": {"v": {"anyOf": branches}}}, {"v": value})
    assert sites["v",].types == types
    assert (("v", "b") in sites) == isinstance(value, dict)


def test_conditions() -> None:
    schema = {
        "type": "object",
        "properties": {"kind": {"type": "string"}, "size": {}},
        "if": {"properties": {"kind": {"const": "box"}}},
        "then": {"properties": {"size": {"type": "integer"}}, "required": ["size"]},
        "else": {"properties": {"size": {"type": "string"}}},
    }
    assert found(schema, {"kind": "box", "size": 1})["size",].types == {"integer"}
    assert found(schema, {"kind": "bag", "size": "L"})["size",].types == {"string"}


def test_a_reference_to_itself_ends() -> None:
    schema = {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}}
    assert list(found(schema, {"x": 1})) == [()]


def test_keys_by_pattern_and_other_keys() -> None:
    schema = {
        "type": "object",
        "properties": {"labels": {"additionalProperties": {"type": "integer"}}},
    }
    sites = found(schema, {"labels": {"x": 1}})
    assert sites["labels", "x"].types == {"integer"}
    assert not sites["labels", "x"].required
