"""What the judge makes of a schema as it was written."""

from typing import Any

import pytest

from plugin.harness.argument_schema import is_of_type, read, type_of


def closings(schema: dict[str, Any]) -> Any:
    root = read(schema).root
    assert isinstance(root, dict)
    return root


def test_the_written_schema_is_not_changed() -> None:
    written = {"type": "object", "properties": {"a": {"type": "string", "default": None}}}
    copy = {"type": "object", "properties": {"a": {"type": "string", "default": None}}}
    read(written)
    assert written == copy


def test_words_for_people_are_not_kept() -> None:
    schema = {"type": "object", "description": "…", "title": "…", "examples": [1], "x-y": 2}
    assert closings(schema) == {"type": "object"}


def test_branches_close_where_nothing_else_lists_keys() -> None:
    branch: dict[str, Any] = {"properties": {"a": {}}}
    shut = {"properties": {"a": {}}, "additionalProperties": False}
    assert closings({"anyOf": [branch, {"$ref": "#/anyOf/0"}]})["anyOf"][0] == shut
    assert closings({"anyOf": [branch], "properties": {"b": {}}})["anyOf"] == [branch]
    assert closings({"allOf": [branch, branch]})["allOf"] == [branch, branch]
    assert closings({"not": branch})["not"] == branch


def test_one_definition_is_closed_here_and_open_there() -> None:
    schema = {
        "properties": {"x": {"$ref": "#/$defs/d"}, "y": {"allOf": [{"$ref": "#/$defs/d"}]}},
        "$defs": {"d": {"properties": {"a": {}}}},
    }
    found = read(schema)
    assert found.validator.is_valid({"x": {"a": 1}, "y": {"a": 1, "b": 2}})
    assert not found.validator.is_valid({"x": {"a": 1, "b": 2}})


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#"},
        {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}},
        {
            "$ref": "#/$defs/a",
            "$defs": {"a": {"anyOf": [{"$ref": "#/$defs/b"}]}, "b": {"$ref": "#"}},
        },
        {"properties": {"a": {"$ref": "#/properties/a"}}},
    ],
)
def test_circles_of_references_are_read(schema: dict[str, Any]) -> None:
    assert isinstance(read(schema).validator.is_valid({"a": {}}), bool)


def test_a_fault_of_the_document_is_reported_once() -> None:
    schema = {
        "properties": {
            "x": {"$ref": "#/$defs/d"},
            "y": {"allOf": [{"$ref": "#/$defs/d"}]},
        },
        "$defs": {"d": {"type": "array", "enum": ["a"]}},
    }
    (fault,) = read(schema).faults
    assert fault.pointer == "/$defs/d/enum"
    assert fault.message == "no value of this enum is of type array"


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (None, "null"),
        (True, "boolean"),
        (1, "integer"),
        (1.0, "integer"),
        (1e300, "integer"),
        (1.5, "number"),
        ("", "string"),
        ([], "array"),
        ({}, "object"),
    ],
)
def test_types(value: Any, name: str) -> None:
    assert type_of(value) == name
    assert is_of_type(value, [name])
    assert is_of_type(value, ["number"]) is (name in ("integer", "number"))
