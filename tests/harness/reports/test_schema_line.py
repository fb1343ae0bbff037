"""Which line of a schema a call breaks."""

from typing import Any

import pytest

from plugin.contract.pointer import MISSING, look_up
from plugin.harness.faults import Fault, FaultKind
from plugin.harness.judge import Judge
from plugin.harness.reports.schema_line import excerpt
from plugin.messages import Call

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "city": {"type": "string", "minLength": 2, "title": "City"},
        "unit": {"enum": ["celsius", "fahrenheit"]},
        "days": {"type": "integer", "minimum": 1},
        "fields": {"type": "array", "items": {"enum": ["wind", "rain"]}},
        "place": {"$ref": "#/$defs/Place"},
        "when": {"anyOf": [{"type": "integer"}, {"$ref": "#/$defs/Span"}]},
        "odd/key~": {"type": "boolean"},
    },
    "required": ["city"],
    "additionalProperties": False,
    "$defs": {
        "Place": {
            "type": "object",
            "properties": {"lat": {"type": "number", "maximum": 90}},
            "required": ["lat"],
        },
        "Span": {"type": "object", "properties": {"to": {"type": "string", "pattern": "^[0-9]"}}},
    },
}


@pytest.mark.parametrize(
    ("arguments", "pointer", "broken"),
    [
        ({}, "/required", ["/required/0"]),
        ({"city": "x"}, "/properties/city/minLength", ["/minLength"]),
        ({"city": 1}, "/properties/city/type", ["/type"]),
        ({"city": "xy", "unit": "Celsius"}, "/properties/unit/enum", ["/enum"]),
        ({"city": "xy", "days": 0}, "/properties/days/minimum", ["/minimum"]),
        ({"city": "xy", "days": "2"}, "/properties/days/type", ["/type"]),
        ({"city": "xy", "fields": "wind"}, "/properties/fields/type", ["/type"]),
        ({"city": "xy", "fields": ["fog"]}, "/properties/fields/items/enum", ["/enum"]),
        ({"city": "xy", "place": {}}, "/$defs/Place/required", ["/required/0"]),
        (
            {"city": "xy", "place": {"lat": 91}},
            "/$defs/Place/properties/lat/maximum",
            ["/maximum"],
        ),
        ({"city": "xy", "place": {"lat": 1, "x": 1}}, "/$defs/Place/properties", ["/properties"]),
        ({"city": "xy", "when": {"to": "x"}}, "/$defs/Span/properties/to/pattern", ["/pattern"]),
        ({"city": "xy", "odd/key~": 1}, "/properties/odd~1key~0/type", ["/type"]),
        ({"city": "xy", "more": 1}, "/additionalProperties", ["/additionalProperties"]),
        ({"City": "xy"}, "/additionalProperties", ["/additionalProperties"]),
    ],
)
def test_the_line(arguments: Any, pointer: str, broken: list[str]) -> None:
    (verdict,) = Judge({"f": SCHEMA}).judge([Call(None, "f", arguments)])
    (fault,) = verdict.faults
    found = excerpt(SCHEMA, fault, arguments)
    assert found is not None
    assert (found.pointer, list(found.broken)) == (pointer, broken)
    assert look_up(SCHEMA, found.pointer) is not MISSING
    assert all(look_up(found.part, place) is not MISSING for place in found.broken)


@pytest.mark.parametrize(
    "kind", [FaultKind.NOT_JSON, FaultKind.UNKNOWN_FUNCTION, FaultKind.DUPLICATE_PARALLEL]
)
def test_where_no_line_is_broken(kind: FaultKind) -> None:
    assert excerpt(SCHEMA, Fault("", kind, "…"), {}) is None


@pytest.mark.parametrize(
    "schema",
    [
        True,
        {},
        {"$ref": "#"},
        {"$ref": "#/gone"},
        {"properties": {"a": {"$ref": "#/properties/a"}}},
        {"properties": {"a": {"pattern": "(", "minimum": "no", "type": 3}}},
        {"properties": [], "required": "a", "allOf": {"x": 1}},
    ],
)
@pytest.mark.parametrize("kind", list(FaultKind))
def test_any_schema_is_walked_without_an_error(schema: Any, kind: FaultKind) -> None:
    excerpt(schema, Fault("/a/0/b", kind, "…"), {"a": [{"b": 1}]})
    excerpt(schema, Fault("/a", kind, "…"), {"a": None})


def test_the_excerpt_leaves_out_what_lies_deeper() -> None:
    schema = {"properties": {"a": {"type": "object", "properties": {"b": {"type": "string"}}}}}
    found = excerpt(schema, Fault("/a", FaultKind.WRONG_TYPE, "…"), {"a": 1})
    assert found is not None
    assert found.part == {"type": "object", "properties": {"b": "…"}}
