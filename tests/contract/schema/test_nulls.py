from typing import Any

import pytest

from plugin.contract.schema.nulls import accepts_null, without_added_nulls

NODE = {
    "type": "object",
    "properties": {"v": {"type": "integer"}, "next": {"$ref": "#/$defs/node"}},
    "required": ["v"],
}
SCHEMA = {
    "type": "object",
    "properties": {
        "plain": {"type": "string"},
        "nullable": {"type": ["string", "null"]},
        "needed": {"type": "string"},
        "node": {"$ref": "#/$defs/node"},
        "list": {"type": "array", "items": {"$ref": "#/$defs/node"}},
        "merged": {"allOf": [{"$ref": "#/$defs/node"}, {"properties": {"w": {"type": "string"}}}]},
        "either": {
            "oneOf": [
                {"type": "string"},
                {"properties": {"k": {"const": "a"}, "x": {"type": "integer"}}, "required": ["k"]},
                {"properties": {"k": {"const": "b"}, "x": {"type": "null"}}, "required": ["k"]},
            ]
        },
        "anything": {},
    },
    "required": ["needed"],
    "$defs": {"node": NODE},
}


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ({"plain": None, "needed": "x"}, {"needed": "x"}),
        ({"nullable": None, "anything": None}, {"nullable": None, "anything": None}),
        ({"needed": None}, {"needed": None}),
        ({"unknown": None}, {"unknown": None}),
        ({"node": {"v": 1, "next": {"v": 2, "next": None}}}, {"node": {"v": 1, "next": {"v": 2}}}),
        ({"node": {"v": None}}, {"node": {"v": None}}),
        ({"list": [{"v": 1, "next": None}, None]}, {"list": [{"v": 1}, None]}),
        ({"merged": {"v": 1, "next": None, "w": None}}, {"merged": {"v": 1}}),
        ({"either": {"k": "a", "x": None}}, {"either": {"k": "a"}}),
        ({"either": {"k": "b", "x": None}}, {"either": {"k": "b", "x": None}}),
        ("text", "text"),
        (None, None),
        ([None], [None]),
    ],
)
def test_a_null_goes_only_where_it_was_added(written: Any, meant: Any) -> None:
    assert without_added_nulls(SCHEMA, written) == meant


def test_arguments_without_nulls_come_back_as_they_are() -> None:
    arguments = {"node": {"v": 1}, "list": [1]}
    assert without_added_nulls(SCHEMA, arguments) is arguments


@pytest.mark.parametrize(
    ("schema", "accepts"),
    [
        (True, True),
        (False, False),
        ({}, True),
        ({"type": "null"}, True),
        ({"type": "string"}, False),
        ({"enum": ["a", None]}, True),
        ({"enum": ["a"]}, False),
        ({"const": None}, True),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, True),
        ({"allOf": [{"type": "string"}, {}]}, False),
        ({"$ref": "#/$defs/node"}, False),
    ],
)
def test_accepts_null(schema: Any, accepts: bool) -> None:
    assert accepts_null(schema, SCHEMA) is accepts


def test_a_schema_of_nothing_but_itself_ends() -> None:
    root = {"$defs": {"a": {"anyOf": [{"$ref": "#/$defs/a"}]}}}
    assert accepts_null({"$ref": "#/$defs/a"}, root) in (True, False)
