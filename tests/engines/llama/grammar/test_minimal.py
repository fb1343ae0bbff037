"""The smallest value of a schema: valid by the schema as written, or an honest refusal."""

from typing import Any

import pytest
from hypothesis import given

from plugin.contract.schema.validation import validator
from plugin.engines.llama.grammar.minimal import minimal
from plugin.engines.llama.grammar.schema import Impossible
from plugin.engines.llama.grammar.schema_form import Form, Oversized
from tests.engines.llama.schemas import TAKEN, Collection, each_collection, schemas


@given(schema=schemas)
def test_what_is_found_is_valid(schema: Any) -> None:
    try:
        found = minimal(Form(schema))
    except (Impossible, Oversized):
        return
    assert validator(schema).is_valid(found), schema


@each_collection
def test_every_tool_has_one(collection: Collection) -> None:
    without = []
    for name, schema in collection.tools():
        try:
            assert validator(schema).is_valid(minimal(Form(schema))), name
        except Impossible:
            without.append(name)
    assert without == collection.impossible


@pytest.mark.parametrize("name", TAKEN)
def test_hostile_schemas_have_one(name: str) -> None:
    assert validator(TAKEN[name]).is_valid(minimal(Form(TAKEN[name])))


@pytest.mark.parametrize(
    ("schema", "least"),
    [
        ({"type": "object", "properties": {"a": {"type": "string"}}}, {}),
        ({"type": "object", "required": ["a"], "properties": {"a": {"minLength": 2}}}, {"a": "aa"}),
        ({"type": "integer", "minimum": 7}, 7),
        ({"enum": ["long", "b"]}, "b"),
        ({"type": "array", "items": {"type": "boolean"}, "minItems": 1}, [True]),
        ({"type": "array", "uniqueItems": True, "minItems": 2, "items": {"enum": [1, 2]}}, [1, 2]),
        ({"type": "integer", "not": {"enum": [0, 1]}}, -1),
        ({"if": {"type": "object"}, "then": False, "else": {"type": "integer"}}, 0),
        (
            {
                "type": "object",
                "required": ["a"],
                "properties": {"a": {"const": 1}, "b": {"const": 2}},
                "dependentRequired": {"a": ["b"]},
            },
            {"a": 1, "b": 2},
        ),
        ({"type": "array", "contains": {"const": "x"}}, ["x"]),
        ({"type": "array", "contains": {"const": "x"}, "minContains": 2}, ["x", "x"]),
        ({"type": "object", "propertyNames": {"type": "integer"}}, {}),
    ],
)
def test_small_values(schema: dict[str, Any], least: Any) -> None:
    assert minimal(Form(schema)) == least


@pytest.mark.parametrize(
    "schema", [False, {"not": {}}, {"enum": []}, {"type": "string", "pattern": "(?=x)(?!x)"}]
)
def test_where_there_is_none(schema: Any) -> None:
    with pytest.raises(Impossible):
        minimal(Form(schema))
