from typing import Any

import pytest

from plugin.contract.schema.merge import Contradiction, Inexpressible, Merger

DEFINITIONS: dict[str, Any] = {
    "pet": {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]},
    "dog": {"allOf": [{"$ref": "#/$defs/pet"}, {"properties": {"bark": {"type": "boolean"}}}]},
    "loop": {"allOf": [{"$ref": "#/$defs/loop"}]},
    "left": {"properties": {"x": {"$ref": "#/$defs/left"}}},
    "right": {"properties": {"x": {"$ref": "#/$defs/right"}}},
}


@pytest.fixture
def merger() -> Merger:
    return Merger(DEFINITIONS)


@pytest.mark.parametrize(
    ("parts", "whole"),
    [
        ([{"type": "number"}, {"type": "integer"}], {"type": "integer"}),
        ([{"type": ["string", "null"]}, {"type": "string"}], {"type": "string"}),
        ([{"enum": [1, 2, 3]}, {"enum": [2, 3, 4]}], {"enum": [2, 3]}),
        ([{"minimum": 1, "maximum": 9}, {"minimum": 3}], {"minimum": 3, "maximum": 9}),
        ([{"description": "a"}, {"description": "b"}], {"description": "b"}),
        ([True, {"type": "string"}], {"type": "string"}),
        ([{"type": "string"}, False], False),
        (
            [{"properties": {"a": {"type": "number"}}}, {"properties": {"a": {"minimum": 1}}}],
            {"properties": {"a": {"type": "number", "minimum": 1}}},
        ),
        (
            [{"anyOf": [{"type": "string"}, {"type": "null"}]}, {"anyOf": [{"type": "string"}]}],
            {"anyOf": [{"type": "string"}]},
        ),
    ],
)
def test_both_hold(merger: Merger, parts: list[Any], whole: Any) -> None:
    assert merger.flattened({"allOf": parts}) == whole


def test_references_are_opened_as_far_as_needed(merger: Merger) -> None:
    assert merger.whole({"$ref": "#/$defs/dog"}) == {
        "type": "object",
        "properties": {"name": {"type": "string"}, "bark": {"type": "boolean"}},
        "required": ["name"],
    }
    assert merger.flattened({"$ref": "#/$defs/dog", "description": "d"}) == {
        "$ref": "#/$defs/dog",
        "description": "d",
    }
    assert merger.flattened({"$ref": "#/$defs/pet", "required": ["age"]}) == {
        "type": "object",
        "properties": {"name": {"type": "string"}},
        "required": ["name", "age"],
    }


@pytest.mark.parametrize(
    "parts",
    [
        [{"type": "string"}, {"type": "integer"}],
        [{"enum": [1]}, {"enum": [2]}],
        [
            {"properties": {"a": {}}, "additionalProperties": False},
            {"properties": {"b": {}}, "required": ["b"]},
        ],
    ],
)
def test_parts_that_no_value_fits_are_a_contradiction(merger: Merger, parts: list[Any]) -> None:
    with pytest.raises(Contradiction):
        merger.flattened({"allOf": parts})


@pytest.mark.parametrize(
    "schema",
    [
        {"allOf": [{"pattern": "a"}, {"pattern": "b"}]},
        {"allOf": [{"not": {"type": "string"}}, {"not": {"type": "null"}}]},
        {"$ref": "#/$defs/loop", "type": "string"},
        {"allOf": [{"$ref": "#/$defs/left"}, {"$ref": "#/$defs/right"}]},
    ],
)
def test_what_has_no_end_or_no_words_is_inexpressible(merger: Merger, schema: Any) -> None:
    with pytest.raises(Inexpressible):
        merger.flattened(schema)


def test_a_wide_product_of_alternatives_is_refused(merger: Merger) -> None:
    branches = [{"const": number} for number in range(10)]
    with pytest.raises(Inexpressible, match="too many"):
        merger.flattened({"allOf": [{"anyOf": branches}, {"anyOf": branches[1:]}]})


def test_many_diamonds_of_references_take_no_time() -> None:
    definitions: dict[str, Any] = {"d0": {"properties": {"x": {"type": "string"}}}}
    for number in range(1, 60):
        below = {"$ref": f"#/$defs/d{number - 1}"}
        definitions[f"d{number}"] = {"allOf": [below, {"maxProperties": 9}, below]}
    whole = Merger(definitions).whole({"$ref": "#/$defs/d59"})
    assert whole == {"properties": {"x": {"type": "string"}}, "maxProperties": 9}
