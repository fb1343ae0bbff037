"""Schemas for the tests of structured output: random ones, those of tools, and hostile ones.

Tools of our own are in `tests/samples/functions`; real ones are added where `CALLS` exists.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st

from plugin.contract.schema.validation import mended
from tests.operations.function_library import CALLS, OWN, own_functions, own_rows
from tests.sizes import sized

_names = st.text("abc_", min_size=1, max_size=4)
_bound = st.integers(-20, 20)
_patterns = st.sampled_from(
    [
        r"^\d{3}-\w+$",
        "^[a-z]{2,5}$",
        "^(foo|bar)+$",
        '[^a-c"\\\\]x',
        r"^\S+@\S+\.com$",
        "(?=a)b",
        "^a|b$",
    ]
)


@st.composite
def _numbers(draw: st.DrawFn) -> dict[str, Any]:
    low, high = sorted((draw(_bound), draw(_bound)))
    found: dict[str, Any] = {"type": draw(st.sampled_from(["integer", "number"]))}
    ends = {"minimum": low, "exclusiveMinimum": low, "maximum": high, "exclusiveMaximum": high}
    found |= {key: ends[key] for key in draw(st.sets(st.sampled_from(sorted(ends))))}
    if draw(st.booleans()):
        found["multipleOf"] = draw(st.sampled_from([1, 2, 7, 10, 0.5]))
    return found


_texts = st.fixed_dictionaries(
    {"type": st.just("string")},
    optional={
        "minLength": st.integers(0, 5),
        "maxLength": st.integers(3, 12),
        "pattern": _patterns,
        "format": st.sampled_from(["date", "email", "uuid", "something"]),
    },
)
_leaves = st.one_of(
    _numbers(),
    _texts,
    st.sampled_from([{"type": "boolean"}, {"type": "null"}, {"const": {"a": '"\\'}}, {}, True]),
    st.builds(
        lambda v: {"enum": v}, st.lists(st.text(max_size=4) | _bound, min_size=1, max_size=4)
    ),
    st.sampled_from([{"type": ["string", "null"]}, {"type": ["integer", "boolean"], "minimum": 3}]),
)


def _wider(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    objects = st.builds(
        lambda properties, required, extra: {
            "type": "object",
            "properties": properties,
            "required": [name for name in properties if name in required],
            **extra,
        },
        st.dictionaries(_names, inner, max_size=3),
        st.sets(_names, max_size=3),
        st.sampled_from([{}, {"additionalProperties": False}, {"minProperties": 1}]),
    )
    arrays = st.fixed_dictionaries(
        {"type": st.just("array"), "items": inner},
        optional={
            "minItems": st.integers(0, 2),
            "maxItems": st.integers(2, 4),
            "uniqueItems": st.booleans(),
            "prefixItems": st.lists(inner, min_size=1, max_size=2),
        },
    )
    joined = st.sampled_from(["anyOf", "oneOf", "allOf"])
    branches = st.builds(
        lambda key, parts: {key: parts}, joined, st.lists(inner, min_size=1, max_size=3)
    )
    maps = st.builds(lambda part: {"type": "object", "additionalProperties": part}, inner)
    return st.one_of(objects, arrays, branches, maps)


schemas = st.recursive(_leaves, _wider, max_leaves=8)


@dataclass(frozen=True)
class Collection:
    """Schemas of tools by name, requests, and what is known of the schemas.

    `least` is how many different ones there are at least. No value fits those in `impossible`; a
    grammar says less than those in `inexact`, so their values are checked. Of `asked` many the real
    engine writes arguments; narrowing 200 of them offers more than `offered` values.
    """

    name: str
    schemas: Callable[[], Iterable[tuple[str, Any]]]
    rows: Callable[[], list[dict[str, Any]]]
    least: int
    impossible: list[str]
    inexact: list[str]
    asked: int
    offered: int

    def tools(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Every different schema, those in Python's words mended."""
        seen = set()
        for name, schema in self.schemas():
            key = json.dumps(schema, sort_keys=True)
            if key not in seen:
                seen.add(key)
                yield name, schema

    def requests(self) -> list[str]:
        """What the users wrote last."""
        return [row["question"][0][-1]["content"] for row in self.rows()]


def bfcl(name: str) -> list[dict[str, Any]]:
    """Rows of one BFCL file: `question` and `function`."""
    return _lines(CALLS / f"bfcl_v4_{name}.quarter.jsonl")


def as_tool(function: dict[str, Any]) -> dict[str, Any]:
    """A function document as a tool, its types in the words of JSON Schema."""
    parameters = mended(function["parameters"])[0]
    return {"type": "function", "function": {**function, "parameters": parameters}}


def _own_schemas() -> Iterator[tuple[str, Any]]:
    yield from _of_functions(own_functions())
    yield from _of_tools(OWN / "desk_tools.json")
    yield from _of_exchanges(OWN / "exchanges.jsonl")


def _real_schemas() -> Iterator[tuple[str, Any]]:
    for path in sorted(CALLS.glob("bfcl_v4_*.quarter.jsonl")):
        if "answers" not in path.name:
            for row in _lines(path):
                yield from _of_functions(row.get("function", ()))
    yield from _of_tools(CALLS / "tau_airline_tools.json")
    yield from _of_exchanges(CALLS / "wire_interactions.jsonl")


def _of_functions(functions: Iterable[dict[str, Any]]) -> Iterator[tuple[str, Any]]:
    for function in functions:
        yield function["name"], mended(function["parameters"])[0]


def _of_tools(path: Path) -> Iterator[tuple[str, Any]]:
    for tool in json.loads(path.read_text(encoding="utf-8")):
        yield tool["function"]["name"], tool["function"]["parameters"]


def _of_exchanges(path: Path) -> Iterator[tuple[str, Any]]:
    for line in _lines(path):
        yield from _inside(line)


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _inside(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, str) and value[:1] in ("{", "["):
        try:
            value = json.loads(value)
        except ValueError:
            return
    if isinstance(value, dict):
        for key in ("parameters", "input_schema", "inputSchema"):
            if isinstance(value.get(key), dict) and isinstance(value.get("name"), str):
                yield value["name"], value[key]
        value = list(value.values())
    if isinstance(value, list):
        for part in value:
            yield from _inside(part)


OURS = Collection(
    "ours",
    _own_schemas,
    own_rows,
    least=200,
    impossible=["survey.pick_answer"],
    inexact=["draw_shape", "price_list", "alarm_zone", "password_rule", "bus_line"],
    asked=sized(2, 20),
    offered=4000,
)
REAL = Collection(
    "real",
    _real_schemas,
    lambda: bfcl("live_multiple"),
    least=1201,
    # It asks for a list and enumerates texts.
    impossible=["get_response"],
    inexact=[],
    asked=sized(2, 60),
    offered=500,
)
COLLECTIONS = [OURS, REAL] if CALLS.is_dir() else [OURS]
each_collection = pytest.mark.parametrize("collection", COLLECTIONS, ids=lambda one: one.name)


def _nested(levels: int) -> dict[str, Any]:
    found: dict[str, Any] = {"type": "string"}
    for _ in range(levels):
        found = {"type": "object", "properties": {"a": found}, "required": ["a"]}
    return found


def _doubling(keyword: str) -> dict[str, Any]:
    """Forty definitions of which each names the next one twice."""
    parts: dict[str, Any] = {"d40": {"type": "string"}}
    for index in range(40):
        next_one = {"$ref": f"#/$defs/d{index + 1}"}
        both: Any = {"x": next_one, "y": next_one} if keyword == "properties" else [next_one] * 2
        parts[f"d{index}"] = {keyword: both, "required": ["x", "y"]}
    return {"$ref": "#/$defs/d0", "$defs": parts}


def _of(part: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {"a": part}, "required": ["a"]}


def _mutual() -> dict[str, Any]:
    members = {f"p{index}": {"$ref": f"#/$defs/d{index}"} for index in range(20)}
    named = {f"d{index}": {"type": "object", "properties": members} for index in range(20)}
    return {"$defs": named, "$ref": "#/$defs/d0"}


REFUSED = {
    "a huge enum": _of({"enum": [f"v{index}" for index in range(20_000)]}),
    "deep nesting": _nested(200),
    "too many properties": {
        "type": "object",
        "properties": {f"p{index}": {"type": "string"} for index in range(5000)},
    },
    "allOf that doubles": _doubling("allOf"),
    "anyOf that doubles": _doubling("anyOf"),
    "properties that double": _doubling("properties"),
    "itself by allOf": {"allOf": [{"$ref": "#"}]},
    "itself, required": {"type": "object", "properties": {"v": {"$ref": "#"}}, "required": ["v"]},
    "a billion items": {"type": "array", "items": {"type": "string"}, "minItems": 10**9},
    "a billion characters": {"type": "string", "minLength": 10**9},
    "a long constant": {"const": "x" * 200_000},
    "a scalar enum of lists": _of({"type": "array", "enum": ["a", "b"]}),
    "a false schema": _of(False),
}

TAKEN = {
    "the largest enum": _of({"enum": [f"value number {index}" for index in range(1000)]}),
    "forty levels": _nested(40),
    "nested counts": _of({"type": "string", "pattern": "^(([a-z]{0,100}){0,100}){0,100}$"}),
    "an exponential pattern": _of({"type": "string", "pattern": "^(a+)+$"}),
    "alternatives that overlap": _of({"type": "string", "pattern": "^(a|a|a|a)*b$"}),
    "a circle of references": {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}},
    "a tree": {
        "type": "object",
        "properties": {"v": {"type": "integer"}, "kids": {"type": "array", "items": {"$ref": "#"}}},
        "required": ["v"],
    },
    "twenty that know each other": _mutual(),
    "the longest text": {"type": "string", "minLength": 1900},
    "a large number": {"type": "integer", "minimum": 10**30},
    "many that differ": {
        "type": "array",
        "uniqueItems": True,
        "minItems": 50,
        "items": {"type": "integer"},
    },
}
