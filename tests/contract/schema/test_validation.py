from typing import Any

import pytest

from plugin.contract.schema.validation import definitions_used, resolve, validator


def test_formats_are_not_judged() -> None:
    assert validator({"type": "string", "format": "date"}).is_valid("never")


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "any"},
        {"required": True},
        {"pattern": "["},
        {"$ref": "#/$defs/nowhere"},
        {"$ref": "https://example.com/schema.json"},
        {"$ref": "file:///etc/passwd"},
        {"properties": {"a": {"type": "dict"}}, "$defs": {"b": {"minimum": "x"}}},
        {"properties": 3, "items": 4, "enum": 5, "allOf": 6},
    ],
)
def test_a_broken_schema_still_makes_a_validator(schema: dict[str, Any]) -> None:
    assert validator(schema).is_valid({"a": {}}) in (True, False)


def test_a_mended_schema_keeps_what_was_whole() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "any"}}}
    assert validator(schema).is_valid({"a": 1, "b": []})
    assert not validator(schema).is_valid({"a": "1"})


def test_a_circle_of_references_ends() -> None:
    schema = {"$ref": "#/$defs/a", "$defs": {"a": {"allOf": [{"$ref": "#/$defs/a"}]}}}
    assert validator(schema).is_valid(1) in (True, False)


def test_an_integral_number_is_an_integer_and_a_boolean_is_none() -> None:
    assert validator({"type": "integer"}).is_valid(3.0)
    assert not validator({"type": "integer"}).is_valid(True)


def test_finds_the_definitions_that_a_schema_uses_itself() -> None:
    schema: dict[str, Any] = {"anyOf": [{"$ref": "#/$defs/a"}, {"default": {"$ref": "#/$defs/c"}}]}
    assert list(definitions_used(schema)) == ["a"]


def test_resolves_chains_of_references() -> None:
    root = {"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"type": "string"}}}
    assert resolve({"$ref": "#/$defs/a"}, root) == {"type": "string"}
    assert resolve({"$ref": "#/$defs/none"}, root) is True
    loop = {"$defs": {"a": {"$ref": "#/$defs/a"}}}
    assert resolve({"$ref": "#/$defs/a"}, loop) == {"$ref": "#/$defs/a"}
