from typing import Any

import pytest

from plugin.api.errors.schema_words import follow, in_words


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "integer", "minimum": 1, "maximum": 100}, "a whole number from 1 to 100"),
        ({"type": "integer", "exclusiveMinimum": 0}, "a whole number above 0"),
        ({"type": "number", "maximum": 1.5}, "a number of at most 1.5"),
        (
            {"type": "number", "minimum": 0, "multipleOf": 0.5},
            "a number of at least 0 that is a multiple of 0.5",
        ),
        ({"type": "boolean"}, "true or false"),
        ({"type": "string"}, "a text"),
        ({"type": "string", "minLength": 1, "maxLength": 500}, "a text of 1 to 500 characters"),
        ({"type": "string", "minLength": 1}, "a text of at least 1 character"),
        ({"type": "string", "pattern": "^[a-z]+$"}, "a text matching ^[a-z]+$"),
        ({"type": "string", "format": "uuid"}, "a UUID"),
        ({"enum": ["celsius", "fahrenheit"]}, 'one of "celsius", "fahrenheit"'),
        ({"const": "all"}, '"all"'),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, "a whole number or null"),
        ({"type": ["string", "null"]}, "a text or null"),
        (
            {"type": "array", "items": {"type": "string"}, "maxItems": 5},
            "a list of at most 5 items, each of them a text",
        ),
        (
            {"type": "object", "properties": {"a": {}, "b": {}}, "required": ["a"]},
            "an object with a (required), b",
        ),
        ({"type": "object"}, "an object"),
        ({}, "a value"),
        ({"$ref": "#/$defs/Unit"}, 'one of "c", "f"'),
        ({"$ref": "#/$defs/Missing"}, "a value"),
        ({"type": "array", "items": {"$ref": "#/$defs/Tree"}}, None),
    ],
)
def test_words(schema: dict[str, Any], words: str | None) -> None:
    root = {
        "$defs": {
            "Unit": {"enum": ["c", "f"]},
            "Tree": {"type": "array", "items": {"$ref": "#/$defs/Tree"}},
            "Loop": {"$ref": "#/$defs/Loop"},
        }
    }
    said = in_words(schema, root)
    assert said == words or words is None
    assert len(said) < 300


def test_a_reference_to_itself_ends() -> None:
    root = {"$defs": {"Loop": {"$ref": "#/$defs/Loop"}}}
    assert "$ref" in follow({"$ref": "#/$defs/Loop"}, root)


def test_long_lists_of_choices_are_cut() -> None:
    said = in_words({"enum": list(range(1_000))}, {})
    assert said.endswith("29 and 970 more")
