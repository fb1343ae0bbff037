import json
from typing import Any

import pytest

from plugin.contract.limits import Measure, excess, measure, together
from plugin.contract.strict import Inexpressible, Strict


def strict(member: Any, definitions: Any = None, *, required: bool = True) -> Any:
    """The strict form of a tool's argument `a`."""
    schema: dict[str, Any] = {"type": "object", "properties": {"a": member}}
    if required:
        schema["required"] = ["a"]
    converted, _ = Strict(definitions or {}).convert(schema)
    return converted["properties"].get("a")


CLOSED = {"additionalProperties": False}


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ({"type": "string"}, {"type": "string"}),
        ({"type": "integer", "minimum": 1, "maximum": 9},
         {"type": "integer", "minimum": 1, "maximum": 9}),
        ({"enum": ["a", "b"]}, {"type": "string", "enum": ["a", "b"]}),
        ({"enum": ["a", None, 1, 2.5]},
         {"type": ["string", "null", "number"], "enum": ["a", None, 1, 2.5]}),
        ({"type": "string", "enum": ["a", 1]}, {"type": "string", "enum": ["a"]}),
        ({"const": True}, {"type": "boolean", "enum": [True]}),
        ({"type": ["string", "null"]}, {"type": ["string", "null"]}),
        ({"type": ["string", "integer"]}, {"anyOf": [{"type": "string"}, {"type": "integer"}]}),
        ({"oneOf": [{"type": "string"}, {"type": "null"}]},
         {"anyOf": [{"type": "string"}, {"type": "null"}]}),
        ({"anyOf": [{"anyOf": [{"type": "string"}]}, {"type": "string"}]}, {"type": "string"}),
        ({"type": "array", "items": {"type": "string"}, "maxItems": 3},
         {"type": "array", "items": {"type": "string"}, "maxItems": 3}),
        ({"minLength": 2}, {"type": "string", "description": "At least 2 characters."}),
        ({"type": "string", "format": "uri", "default": "x", "description": "Where"},
         {"type": "string", "description": "Where. Format: uri. Default: x."}),
        ({"type": "string", "format": "date"}, {"type": "string", "format": "date"}),
        ({"type": "string", "pattern": "^a"}, {"type": "string", "pattern": "^a"}),
        ({"type": "string", "pattern": "^(?!a)"},
         {"type": "string", "description": "Matches ^(?!a)."}),
        ({"type": "object", "additionalProperties": False},
         {"type": "object", "properties": {}, "required": [], **CLOSED}),
        ({"properties": {"x": {"type": "string"}, "y": {"type": "string"}}, "required": ["y"]},
         {"type": "object",
          "properties": {"x": {"type": ["string", "null"]}, "y": {"type": "string"}},
          "required": ["x", "y"], **CLOSED}),
        ({"properties": {"x": {"type": "string"}, "free": {"type": "object"}}},
         {"type": "object", "properties": {"x": {"type": ["string", "null"]}},
          "required": ["x"], **CLOSED}),
        ({"type": "object", "properties": {"x": {"type": "null"}}, "required": ["x", "k"],
          "additionalProperties": {"type": "string"}},
         {"type": "object", "properties": {"x": {"type": "null"}, "k": {"type": "string"}},
          "required": ["x", "k"], **CLOSED}),
    ],
)  # fmt: skip
def test_puts_schemas_into_the_subset(written: Any, meant: Any) -> None:
    assert strict(written) == meant


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ({"type": "string"}, {"type": ["string", "null"]}),
        ({"enum": ["a"]}, {"type": ["string", "null"], "enum": ["a", None]}),
        ({"type": ["string", "null"]}, {"type": ["string", "null"]}),
        ({"$ref": "#/$defs/d"}, {"anyOf": [{"$ref": "#/$defs/d"}, {"type": "null"}]}),
        (
            {"$ref": "#/$defs/d", "description": "D"},
            {"description": "D", "anyOf": [{"$ref": "#/$defs/d"}, {"type": "null"}]},
        ),
        (
            {"anyOf": [{"type": "string"}, {"type": "integer"}]},
            {"anyOf": [{"type": "string"}, {"type": "integer"}, {"type": "null"}]},
        ),
    ],
)
def test_optional_turns_into_nullable(written: Any, meant: Any) -> None:
    definitions = {"d": {"type": "object", "properties": {"x": {"type": "string"}}}}
    assert strict(written, definitions, required=False) == meant


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ({}, "a value of any type"),
        (False, "required and forbidden"),
        ({"type": "object"}, "a free-form object"),
        ({"type": "object", "additionalProperties": {"type": "string"}}, "a free-form object"),
        ({"type": "array"}, "a list of anything"),
        ({"type": "array", "prefixItems": [{"type": "string"}]}, "a list whose places differ"),
        ({"type": "array", "items": {"type": "object"}}, "a free-form object"),
        ({"not": {"type": "string"}}, "the keyword not"),
        ({"type": "array", "items": {"type": "string"}, "contains": {}}, "the keyword contains"),
        ({"if": {"type": "string"}}, "the keyword if"),
        ({"enum": [{}, []]}, "an enum of objects or lists"),
        ({"type": "string", "enum": [1]}, "an enum without a value"),
        (
            {"properties": {"x": {"type": "object"}}, "required": ["x"]},
            "x is required: a free-form",
        ),
        ({"properties": {"x": {"type": "object"}}}, "nothing can be expressed"),
        ({"allOf": [{"type": "string"}, {"type": "integer"}]}, "different types"),
        ({"anyOf": [{"type": "object"}, {"type": "null"}]}, "a free-form object"),
        ({"$ref": "#/$defs/none"}, "not there"),
    ],
)
def test_what_has_no_words_is_refused_with_a_reason(written: Any, reason: str) -> None:
    with pytest.raises(Inexpressible, match=reason):
        strict(written)
    assert strict(written, required=False) is None


def test_an_impossible_definition_takes_with_it_whatever_requires_it() -> None:
    definitions: dict[str, Any] = {
        "free": {"type": "object"},
        "needs": {"properties": {"f": {"$ref": "#/$defs/free"}}, "required": ["f"]},
        "may": {"properties": {"n": {"$ref": "#/$defs/needs"}, "s": {"type": "string"}}},
        "loop": {"properties": {"l": {"$ref": "#/$defs/loop"}, "m": {"$ref": "#/$defs/may"}}},
    }
    schema = {"type": "object", "properties": {"a": {"$ref": "#/$defs/loop"}}, "required": ["a"]}
    converted, left_out = Strict(definitions).convert(schema)
    assert list(converted["$defs"]) == ["loop", "may"]
    assert list(converted["$defs"]["may"]["properties"]) == ["s"]
    assert left_out == {"may": "n (f is required: a free-form object)"}
    with pytest.raises(Inexpressible):
        strict({"$ref": "#/$defs/needs"}, definitions)


@pytest.mark.parametrize(
    "inner",
    [
        {"$ref": "#/$defs/node", "required": ["v"]},
        {"allOf": [{"$ref": "#/$defs/node"}], "required": ["v"]},
        {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}], "minProperties": 1},
        {"type": "object", "oneOf": [{"$ref": "#/$defs/node"}]},
        {"type": "array", "items": {"$ref": "#/$defs/node", "minProperties": 1}},
    ],
)
def test_a_schema_that_contains_itself_with_more_beside_the_reference_ends(inner: Any) -> None:
    node = {"type": "object", "properties": {"v": {"type": "string"}, "inner": inner}}
    schema = {"type": "object", "properties": {"a": {"$ref": "#/$defs/node"}}}
    converted, left_out = Strict({"node": node}).convert(schema)
    assert "v" in converted["$defs"]["node"]["properties"]
    assert "contains itself" in left_out["node"]


def test_not_both_is_one_or_the_other() -> None:
    schema = {
        "type": "object",
        "properties": {"url": {"type": "string"}, "id": {"type": "string"}},
        "anyOf": [{"required": ["url"]}, {"required": ["id"]}],
        "not": {"required": ["url", "id"]},
    }
    found = strict(schema)
    assert [list(branch["properties"]) for branch in found["anyOf"]] == [["url"], ["id"]]


def test_alternatives_at_the_root_are_refused() -> None:
    with pytest.raises(Inexpressible, match="root"):
        Strict({}).convert({"type": "object", "properties": {}, "anyOf": [{}]})
    with pytest.raises(Inexpressible, match="dependentRequired"):
        Strict({}).convert({"type": "object", "properties": {}, "dependentRequired": {"a": ["b"]}})


def nested(levels: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(levels):
        schema = {"type": "object", "properties": {"x": schema}, "required": ["x"]}
    return schema


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        (nested(11), "11 levels, and 10 are allowed"),
        ({"type": "object", "properties": {f"p{n}": {"type": "string"} for n in range(5_001)}},
         "5,001 properties"),
        ({"type": "object", "properties": {"e": {"enum": list(range(1_001))}}}, "enum values"),
        ({"type": "object", "properties": {"e": {"enum": [f"{n:060}" for n in range(251)]}}},
         "15,060 characters in one enum"),
        ({"type": "object", "properties": {"n" * 120_001: {"type": "string"}}},
         "120,001 characters"),
    ],
)  # fmt: skip
def test_the_limits_of_the_door(schema: Any, reason: str) -> None:
    with pytest.raises(Inexpressible, match=reason):
        Strict({}).convert(schema)


def test_just_within_the_limits() -> None:
    assert Strict({}).convert(nested(10))[0]["type"] == "object"
    many = {"type": "object", "properties": {f"p{n}": {"type": "string"} for n in range(5_000)}}
    assert len(Strict({}).convert(many)[0]["required"]) == 5_000


def test_measures_add_up_but_for_the_highest() -> None:
    one = measure({"type": "object", "properties": {"ab": {"enum": ["x", "yz", 1]}}}, "name")
    assert one == Measure(properties=1, levels=1, enum_values=3, characters=9, long_enum=0)
    both = together([one, measure({"type": "array", "items": {"type": ["array", "null"]}})])
    assert both == Measure(properties=1, levels=2, enum_values=3, characters=9, long_enum=0)
    assert excess(both) == []


def test_converting_is_the_same_every_time() -> None:
    schema = {"type": "object", "properties": {"a": nested(3), "b": {"oneOf": [{}, nested(2)]}}}
    once = json.dumps(Strict({}).convert(schema))
    assert json.dumps(Strict({}).convert(schema)) == once
