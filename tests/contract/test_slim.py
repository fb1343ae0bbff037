from typing import Any

import pytest

from plugin.contract.slim import Slimmer
from plugin.contract.words import cut, describe, tidy, title
from tests.contract.conftest import ReadOne


def slim(member: Any, definitions: Any = None, key: str = "a") -> Any:
    schema = {"type": "object", "properties": {key: member}, "$defs": definitions or {}}
    return Slimmer().slim(schema)["properties"].get(key)


@pytest.mark.parametrize(
    ("large", "small"),
    [
        ({"type": "string", "title": "A"}, {"type": "string"}),
        ({"type": "string", "title": "Other"}, {"type": "string", "title": "Other"}),
        ({"title": "Other", "description": " two\n  words "}, {"description": "two\nwords"}),
        ({"type": "integer", "format": "int64"}, {"type": "integer"}),
        ({"type": "string", "format": "date"}, {"type": "string", "format": "date"}),
        ({"examples": ["x", "y"]}, {"examples": ["x"]}),
        ({"examples": ["x"], "enum": ["x", "y", "x"]}, {"enum": ["x", "y"]}),
        ({"examples": [{"long": "thing"}]}, {}),
        ({"type": "array", "examples": ["[1, 2]"]}, {"type": "array"}),
        ({"examples": ["x" * 41]}, {}),
        ({"default": None, "minLength": 0, "uniqueItems": False, "deprecated": False}, {}),
        ({"maximum": 9223372036854775807, "minimum": -3}, {"minimum": -3}),
        ({"additionalProperties": True}, {}),
        ({"additionalProperties": {}}, {}),
        ({"additionalProperties": False}, {"additionalProperties": False}),
        ({"writeOnly": True}, {}),
        ({"enum": [1, True, 1.0, "1"]}, {"enum": [1, True, 1.0, "1"]}),
        (
            {"allOf": [{"type": "string"}], "description": "d"},
            {"type": "string", "description": "d"},
        ),
        (
            {"allOf": [{"type": "string"}], "maxLength": 3},
            {"type": "string", "maxLength": 3},
        ),
        (
            {"allOf": [{"maxLength": 2}], "maxLength": 3},
            {"allOf": [{"maxLength": 2}], "maxLength": 3},
        ),
        ({"anyOf": [{"type": "string"}, {"type": "string"}]}, {"type": "string"}),
        (
            {"properties": {"id": {"readOnly": True}, "n": {}}, "required": ["id", "n"]},
            {"properties": {"n": {}}, "required": ["n"]},
        ),
        ({"items": True}, {"items": True}),
        (
            {"prefixItems": [{"type": "number"}, {"type": "number"}], "items": False},
            {"prefixItems": [{"type": "number"}, {"type": "number"}], "items": False},
        ),
    ],
)
def test_keeps_what_a_model_needs(large: Any, small: Any) -> None:
    assert slim(large) == small


def test_properties_are_not_taken_for_keywords() -> None:
    names: dict[str, Any] = {"title": {}, "example": {}, "readOnly": {}, "default": {}, "x-a": {}}
    assert slim({"type": "object", "properties": names})["properties"] == names


def test_keeps_only_the_definitions_that_are_still_reached() -> None:
    definitions = {
        "a": {"$ref": "#/$defs/b"},
        "b": {"type": "object", "properties": {"c": {"$ref": "#/$defs/c", "readOnly": True}}},
        "c": {"type": "string"},
    }
    schema = {"type": "object", "properties": {"x": {"$ref": "#/$defs/a"}}, "$defs": definitions}
    found = Slimmer().slim(schema)
    assert found["properties"]["x"] == {"$ref": "#/$defs/b"}
    assert found["$defs"] == {"b": {"type": "object", "properties": {}}}


def test_a_definition_is_made_small_once() -> None:
    definitions = {"a": {"type": "string", "title": "A"}}
    slimmer = Slimmer()
    schema = {"type": "object", "properties": {"x": {"$ref": "#/$defs/a"}}, "$defs": definitions}
    assert slimmer.slim(schema)["$defs"]["a"] is slimmer.slim(schema)["$defs"]["a"]


def test_hides_what_only_a_caller_sets_in_answers() -> None:
    schema = {"type": "object", "properties": {"p": {"writeOnly": True}, "i": {"readOnly": True}}}
    assert list(Slimmer(hidden="writeOnly").slim(schema)["properties"]) == ["i"]


@pytest.mark.parametrize(
    ("text", "limit", "short"),
    [
        ("short", 10, "short"),
        ("One sentence. Another one follows.", 20, "One sentence."),
        ("One. A very long second sentence", 20, "One. A very long…"),
        ("no_spaces_at_all_in_this_text", 10, "no_spaces…"),
        ("第一句。第二句很长很长", 6, "第一句…"),
    ],
)
def test_cuts_at_a_sentence_or_a_word(text: str, limit: int, short: str) -> None:
    found = cut(text, limit)
    assert len(found) <= limit
    if "第" not in text:
        assert found == short


def test_tidies_texts() -> None:
    assert tidy(" a\x07  b \r\n\r\n\r\n c <!-- hidden\nwords -->d ") == "a b\nc d"


@pytest.mark.parametrize(
    ("summary", "description", "text"),
    [
        ("List todos", "", "List todos"),
        ("List todos", "Shows all open ones.", "List todos. Shows all open ones."),
        ("List todos.", "List todos that are open.", "List todos that are open."),
        ("List todos, open and done", "List todos", "List todos, open and done"),
        ("", "Only this.", "Only this."),
        ("", "", "POST /x"),
    ],
)
def test_describes_an_operation_without_saying_a_thing_twice(
    read_one: ReadOne, summary: str, description: str, text: str
) -> None:
    operation = read_one({"summary": summary, "description": description})
    assert describe(operation, 1_024) == text
    old = read_one({"summary": summary, "description": description, "deprecated": True})
    assert describe(old, 1_024) == f"Deprecated. {text}"


def test_titles_are_for_people(read_one: ReadOne) -> None:
    assert title(read_one({"summary": "List todos."}), "x") == "List todos"
    assert title(read_one({}), "listOpen_todos") == "List open todos"
