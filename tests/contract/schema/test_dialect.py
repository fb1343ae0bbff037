from typing import Any

import pytest

from plugin.contract.operation import Note
from plugin.contract.schema.validation import validator
from tests.contract.conftest import ReadOne


def schema_of(read_one: ReadOne, schema: Any, version: str = "3.0.3") -> Any:
    """A schema as the reader understands it."""
    body = {"content": {"application/json": {"schema": {"type": "array", "items": schema}}}}
    operation = read_one({"requestBody": body}, version=version)
    return operation.schema["properties"]["body"]["items"]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ({"type": "string", "nullable": True}, {"type": ["string", "null"]}),
        ({"type": "string", "nullable": False}, {"type": "string"}),
        (
            {"type": "string", "enum": ["a"], "nullable": True},
            {"type": ["string", "null"], "enum": ["a", None]},
        ),
        (
            {"allOf": [{"type": "string"}], "nullable": True, "description": "d"},
            {"description": "d", "anyOf": [{"allOf": [{"type": "string"}]}, {"type": "null"}]},
        ),
        ({"minimum": 1, "exclusiveMinimum": True}, {"exclusiveMinimum": 1}),
        ({"minimum": 1, "exclusiveMinimum": False}, {"minimum": 1}),
        ({"maximum": 9, "exclusiveMaximum": True}, {"exclusiveMaximum": 9}),
        ({"exclusiveMaximum": 9}, {"exclusiveMaximum": 9}),
        ({"example": 3}, {"examples": [3]}),
        ({"items": [{"type": "string"}]}, {"prefixItems": [{"type": "string"}]}),
        ({"type": "file"}, {"type": "string"}),
        ({"x-internal": 1, "xml": {}, "discriminator": {"propertyName": "a"}}, {}),
        ({"maxLength": 3.0}, {"maxLength": 3}),
        (
            {"default": {"$ref": "#/none"}, "enum": [{"$ref": "#/none"}]},
            {"default": {"$ref": "#/none"}, "enum": [{"$ref": "#/none"}]},
        ),
        (
            {"properties": {"$ref": {"type": "string"}, "nullable": {"type": "boolean"}}},
            {"properties": {"$ref": {"type": "string"}, "nullable": {"type": "boolean"}}},
        ),
    ],
)
def test_puts_older_words_into_2020_12(read_one: ReadOne, written: Any, meant: Any) -> None:
    assert schema_of(read_one, written) == meant


@pytest.mark.parametrize(
    ("odd", "mended"),
    [
        ({"type": "any"}, {}),
        ({"type": "int"}, {"type": "integer"}),
        ({"type": ["string", "nonsense"]}, {}),
        ({"required": "name"}, {"required": ["name"]}),
        ({"required": ["a", "a", 1]}, {"required": ["a"]}),
        ({"minimum": "5"}, {"minimum": 5}),
        ({"minimum": "five"}, {}),
        ({"maxLength": -1}, {}),
        ({"enum": "a"}, {"enum": ["a"]}),
        ({"enum": []}, {}),
        ({"pattern": "["}, {}),
        ({"properties": ["a"]}, {}),
        ({"properties": {"a": None}}, {"properties": {"a": {}}}),
        ({"items": "string"}, {}),
        ({"allOf": {"type": "string"}}, {"allOf": [{"type": "string"}]}),
        ({"anyOf": []}, {}),
        ({"additionalProperties": "false"}, {"additionalProperties": False}),
        ({"uniqueItems": "true"}, {"uniqueItems": True}),
        ({"multipleOf": 0}, {}),
        ({"format": 5}, {"format": "5"}),
        ({"patternProperties": {"[": {}, "^a": {}}}, {"patternProperties": {"^a": {}}}),
    ],
)
def test_one_odd_keyword_costs_itself_and_is_noted(odd: Any, mended: Any) -> None:
    from plugin.contract.schema.validation import mended as mend

    found, notes = mend(odd)
    assert found == mended
    assert notes
    assert all(isinstance(note, Note) and note.reason for note in notes)


def test_beside_a_3_0_reference_only_words_and_nullable_count(read_one: ReadOne) -> None:
    node = {"$ref": "#/components/schemas/A", "maxLength": 3, "description": "mine"}
    components = {"schemas": {"A": {"type": "string"}}}
    body = {"content": {"application/json": {"schema": {"type": "array", "items": node}}}}
    old = read_one({"requestBody": body}, version="3.0.0", components=components)
    new = read_one({"requestBody": body}, version="3.1.0", components=components)
    assert old.schema["properties"]["body"]["items"] == {
        "$ref": "#/$defs/A",
        "description": "mine",
    }
    assert new.schema["properties"]["body"]["items"]["maxLength"] == 3
    nullable = {"$ref": "#/components/schemas/A", "nullable": True}
    body = {"content": {"application/json": {"schema": {"type": "array", "items": nullable}}}}
    schema = read_one({"requestBody": body}, version="3.0.0", components=components).schema
    assert validator(schema).is_valid({"body": ["x", None]})
    assert not validator(schema).is_valid({"body": [1]})


def test_deep_nesting_ends_in_anything() -> None:
    from plugin.contract.schema.validation import mended

    deep: dict[str, Any] = {"type": "string"}
    for _ in range(400):
        deep = {"items": deep}
    found, notes = mended(deep)
    assert any("nested deeper" in note.reason for note in notes)
    assert validator(found).is_valid([])
