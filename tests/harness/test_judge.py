"""Verdicts: the golden file, and every fault where it is hard to see."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from plugin.harness.faults import FaultKind
from plugin.harness.judge import Judge, Verdict, decode, strict_names, unjudged
from plugin.harness.transcript import Reply
from plugin.messages import Call
from tests.harness.recordings import SAMPLES

GOLDEN = json.loads((SAMPLES / "judge.json").read_bytes())
Found = list[tuple[str, str]]


def faults(verdict: Verdict) -> Found:
    return [(str(fault.fault), fault.pointer) for fault in verdict.faults]


def judged(schema: Any, arguments: Any, *, strict: bool = False) -> Found:
    """What is wrong with one call of one tool."""
    names = frozenset({"f"} if strict else ())
    (verdict,) = Judge({"f": schema}).judge([Call(None, "f", arguments)], strict=names)
    assert verdict.contract
    return faults(verdict)


def closed(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


SPEED = {"type": "string", "enum": ["slow", "fast", "very fast"]}
INTEGER, TEXT, FLAG = {"type": "integer"}, {"type": "string"}, {"type": "boolean"}


@pytest.mark.parametrize(
    "reply", GOLDEN["replies"], ids=lambda reply: reply["note"] or reply["calls"][0]["arguments"]
)
def test_golden_reply(reply: dict[str, Any]) -> None:
    judge = Judge({t["function"]["name"]: t["function"]["parameters"] for t in GOLDEN["tools"]})
    calls = [Call(None, call["name"], call["arguments"]) for call in reply["calls"]]
    found = [faults(verdict) for verdict in judge.judge(calls)]
    assert found == [
        [(fault["fault"], fault["pointer"]) for fault in call["faults"]] for call in reply["calls"]
    ]


def test_the_golden_file_is_whole() -> None:
    kinds = {
        fault["fault"]
        for reply in GOLDEN["replies"]
        for call in reply["calls"]
        for fault in call["faults"]
    }
    assert len(GOLDEN["replies"]) == 67
    assert kinds == set(FaultKind)


# One value of each fault, the schema it is wrong for, and the way from the value to the fault.
Wrong = tuple[str, Any, Any, str]
WRONG_VALUES: list[Wrong] = [
    ("missing_required", {**closed(a=TEXT), "required": ["a"]}, {}, "/a"),
    ("unknown_key", closed(a=TEXT), {"zzz": 1}, "/zzz"),
    ("near_miss_key", closed(first_name=TEXT), {"firstName": "x"}, "/firstName"),
    ("string_for_array", {"type": "array"}, "a, b", ""),
    ("bool_as_string", FLAG, "yes", ""),
    ("number_as_string", {"type": "number"}, "1_000.5", ""),
    ("word_for_number", INTEGER, "dozen", ""),
    ("wrong_type", TEXT, ["a"], ""),
    ("wrong_type", INTEGER, True, ""),
    ("enum_case", SPEED, "Very-Fast", ""),
    ("enum_invented", SPEED, "ludicrous", ""),
    ("constraint", {"type": "integer", "maximum": 3}, 4, ""),
    ("constraint", {"type": "array", "uniqueItems": True}, [1, 1.0], ""),
    ("constraint", {"type": "string", "minLength": 2}, "x", ""),
]

# Where the value may stand: a schema around its schema, a value around it, and the way to it.
Around = tuple[str, Callable[[Any], Any], Callable[[Any], Any], str]
PLACES: list[Around] = [
    ("property", lambda s: closed(p=s), lambda v: {"p": v}, "/p"),
    ("two deep", lambda s: closed(p=closed(q=s)), lambda v: {"p": {"q": v}}, "/p/q"),
    ("item", lambda s: closed(p={"items": s}), lambda v: {"p": [v]}, "/p/0"),
    ("tuple", lambda s: closed(p={"prefixItems": [TEXT, s]}), lambda v: {"p": ["x", v]}, "/p/1"),
    ("draft-4 tuple", lambda s: closed(p={"items": [TEXT, s]}), lambda v: {"p": ["x", v]}, "/p/1"),
    (
        "after a tuple",
        lambda s: closed(p={"prefixItems": [TEXT], "items": s}),
        lambda v: {"p": ["x", v]},
        "/p/1",
    ),
    (
        "reference",
        lambda s: {**closed(p={"$ref": "#/$defs/d"}), "$defs": {"d": s}},
        lambda v: {"p": v},
        "/p",
    ),
    (
        "reference to a reference, with an escaped name",
        lambda s: {
            **closed(p={"$ref": "#/$defs/a~1b"}),
            "$defs": {"a/b": {"$ref": "#/definitions/%C3%BC"}},
            "definitions": {"ü": s},
        },
        lambda v: {"p": v},
        "/p",
    ),
    ("only branch", lambda s: closed(p={"anyOf": [s]}), lambda v: {"p": v}, "/p"),
    (
        "optional branch",
        lambda s: closed(p={"oneOf": [s, {"type": "null"}]}),
        lambda v: {"p": v},
        "/p",
    ),
    ("allOf", lambda s: closed(p={"allOf": [s]}) | {"required": ["p"]}, lambda v: {"p": v}, "/p"),
    (
        "pattern",
        lambda s: {"type": "object", "patternProperties": {"^x": s}},
        lambda v: {"xyz": v},
        "/xyz",
    ),
    (
        "any other key",
        lambda s: {**closed(a=TEXT), "additionalProperties": s},
        lambda v: {"b/c~d": v},
        "/b~1c~0d",
    ),
    (
        "then",
        lambda s: {
            "type": "object",
            "if": {"properties": {"kind": {"const": "k"}}, "required": ["kind"]},
            "then": {"properties": {"p": s}},
        },
        lambda v: {"kind": "k", "p": v},
        "/p",
    ),
    (
        "else",
        lambda s: {"type": "object", "if": {"required": ["kind"]}, "else": closed(p=s)},
        lambda v: {"p": v},
        "/p",
    ),
]


@pytest.mark.parametrize("around", PLACES, ids=lambda around: around[0])
@pytest.mark.parametrize("wrong", WRONG_VALUES, ids=lambda wrong: wrong[0])
def test_each_fault_at_each_depth(wrong: Wrong, around: Around) -> None:
    kind, schema, value, deeper = wrong
    name, schema_around, value_around, way = around
    expected = [(kind, way + deeper)]
    if kind in ("unknown_key", "near_miss_key") and name == "allOf":
        expected = []  # where several schemas meet, none of them lists all keys
    assert judged(schema_around(schema), value_around(value)) == expected


@pytest.mark.parametrize(
    ("key", "pointer"),
    [
        ("ключ", "/ключ"),
        ("鍵 1", "/鍵 1"),
        ("a/b", "/a~1b"),
        ("m~n", "/m~0n"),
        ("~1", "/~01"),
        ("", "/"),
    ],
)
def test_pointers_escape_what_they_must(key: str, pointer: str) -> None:
    assert judged(closed(**{key: INTEGER}), {key: "x"}) == [("word_for_number", pointer)]
    assert judged({**closed(**{key: INTEGER}), "required": [key]}, {}) == [
        ("missing_required", pointer)
    ]
    assert judged(closed(other=INTEGER), {key: 1}) == [("unknown_key", pointer)]


@pytest.mark.parametrize("empty", ["", "  \n", "null", None, "{}", {}])
def test_nothing_is_no_arguments(empty: Any) -> None:
    assert decode(empty) == {}
    assert judged(closed(a=TEXT), empty) == []


@pytest.mark.parametrize("value", ["[]", [], "0", 0, False, "false", '"{}"', 1.5])
def test_arguments_are_an_object(value: Any) -> None:
    assert judged(closed(a=TEXT), value) == [("wrong_type", "")]


@pytest.mark.parametrize(
    "text",
    [
        '\ufeff{"a": "x"}',
        '{"a": "x"} {"a": "y"}',
        '{"a": Infinity}',
        '{"a": -Infinity}',
        '{"a": 01}',
        '{"a": .5}',
        '{"a": +1}',
        '{"a": 0x1F}',
        "{'a': None}",
        '{"a": "tab\there"}',
        '{"a": "\\x41"}',
        '{"a": "x"}\n```',
        '// first\n{"a": "x"}',
        '{"a": 1e999}',
        '{"a": ' + "9" * 5000 + "}",
        '{"a":' + "[" * 5000 + "]" * 5000 + "}",
        "{" * 100_000,
    ],
)
def test_text_that_is_not_json(text: str) -> None:
    (verdict,) = Judge({"f": {"type": "object"}}).judge([Call(None, "f", text)])
    assert faults(verdict) == [("not_json", "")]
    assert verdict.arguments is None
    assert len(verdict.faults[0].message) < 200


def test_the_last_of_duplicate_keys_counts() -> None:
    assert judged(closed(a=INTEGER), '{"a": "x", "a": 1}') == []
    assert judged(closed(a=INTEGER), '{"a": 1, "a": "x"}') == [("word_for_number", "/a")]


def test_long_integers_stay_exact() -> None:
    text = '{"id": 123456789012345678901234567890}'
    (verdict,) = Judge({"f": closed(id=INTEGER)}).judge([Call(None, "f", text)])
    assert verdict.faults == ()
    assert verdict.arguments == {"id": 123456789012345678901234567890}
    assert judged(closed(id={"type": "integer", "maximum": 2**63}), text) == [("constraint", "/id")]


def test_half_a_surrogate_pair_is_judged_like_any_text() -> None:
    schema = closed(a={"type": "string", "maxLength": 3}, b={"enum": ["x"]})
    assert judged(schema, '{"a": "\\ud83d"}') == []
    assert judged(schema, '{"a": "\\ud83d long", "b": "\\udc00"}') == [
        ("constraint", "/a"),
        ("enum_invented", "/b"),
    ]
    assert judged(schema, '{"\\ud83d": 1}') == [("unknown_key", "/\ufffd")]


LINKED = {
    "type": "object",
    "properties": {"next": {"$ref": "#"}, "value": INTEGER},
}


@pytest.mark.parametrize("levels", [10, 90, 150, 195])
def test_deep_nesting_is_judged(levels: int) -> None:
    good = '{"next":' * levels + '{"value": 1}' + "}" * levels
    wrong = good.replace("1", '"1"')
    assert judged(LINKED, good) == []
    ((kind, pointer),) = judged(LINKED, wrong)
    assert pointer == "/next" * levels + "/value"
    assert kind == "number_as_string" or levels > 90


def test_nesting_beyond_reading_is_no_crash() -> None:
    for levels in (201, 300, 1020, 20_000):
        text = '{"next":' * levels + "{}" + "}" * levels
        assert judged(LINKED, text) == [("not_json", "")]


def test_branches_that_share_their_parts_take_no_exponential_time() -> None:
    kinds = [f"op{number}" for number in range(6)]
    node = {
        "anyOf": [
            {
                "type": "object",
                "properties": {
                    "op": {"const": kind},
                    "of": {"type": "array", "items": {"$ref": "#/$defs/node"}},
                },
                "required": ["op", "of"],
            }
            for kind in kinds
        ]
        + [INTEGER]
    }
    schema = {**closed(e={"$ref": "#/$defs/node"}), "$defs": {"node": node}}
    value: Any = "three"
    for _ in range(15):  # 6 to the power of 15 ways through the branches
        value = {"op": "op3", "of": [value]}
    assert judged(schema, {"e": value}) == [("word_for_number", "/e" + "/of/0" * 15)]


# -- null ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "part",
    [
        TEXT,
        {"enum": ["a", "b"]},
        {"const": "a"},
        {"anyOf": [TEXT, INTEGER]},
        {"$ref": "#/$defs/text"},
        {"allOf": [TEXT]},
        {"type": ["string", "integer"]},
    ],
)
def test_null_for_what_takes_none(part: dict[str, Any]) -> None:
    schema = {**closed(a=part), "$defs": {"text": TEXT}}
    assert judged(schema, {"a": None}) == [("null_for_optional", "/a")]
    ((kind, pointer),) = judged({**schema, "required": ["a"]}, {"a": None})
    assert (pointer, kind != "null_for_optional") == ("/a", True)
    for saying_so in ({"nullable": True}, {"default": None}):
        assert judged({**schema, "properties": {"a": {**part, **saying_so}}}, {"a": None}) == []


def test_required_null_is_the_wrong_type() -> None:
    for part in (TEXT, {"anyOf": [TEXT, INTEGER]}, {"$ref": "#/$defs/text"}):
        schema = {**closed(a=part), "required": ["a"], "$defs": {"text": TEXT}}
        assert judged(schema, {"a": None}) == [("wrong_type", "/a")]


def test_null_for_an_optional_deep_inside() -> None:
    schema = closed(rows={"type": "array", "items": closed(note=TEXT, n=INTEGER)})
    value = {"rows": [{"note": None}, {"note": "x", "n": None}]}
    assert judged(schema, value) == [
        ("null_for_optional", "/rows/0/note"),
        ("null_for_optional", "/rows/1/n"),
    ]
    assert judged(closed(rows={"type": "array", "items": TEXT}), {"rows": [None]}) == [
        ("wrong_type", "/rows/0")
    ]


def test_strict_nulls_are_dropped_only_where_the_tool_was_strict() -> None:
    schema = closed(a=TEXT, rows={"type": "array", "items": closed(note=TEXT, n=INTEGER)})
    written = {"a": None, "rows": [{"note": None, "n": 1}, {"note": "x", "n": "2"}]}
    assert judged(schema, written, strict=True) == [("number_as_string", "/rows/1/n")]
    assert len(judged(schema, written)) == 3

    call = Call(None, "f", written)
    (verdict,) = Judge({"f": schema}).judge([call], strict=frozenset({"f"}))
    assert verdict.arguments == {"rows": [{"n": 1}, {"note": "x", "n": "2"}]}
    assert verdict.call.arguments == written, "the recording itself stays as it was"


def test_strict_keeps_nulls_that_mean_something() -> None:
    schema = closed(a={"type": ["string", "null"]}, b=TEXT)
    (verdict,) = Judge({"f": schema}).judge(
        [Call(None, "f", '{"a": null, "b": null}')], strict=frozenset({"f"})
    )
    assert verdict.faults == ()
    assert verdict.arguments == {"a": None}


def test_which_tools_a_request_declared_strict() -> None:
    tools = [
        {"type": "function", "function": {"name": "nested", "strict": True}},
        {"type": "function", "name": "flat", "strict": True},
        {"type": "function", "name": "lax", "strict": False},
        {"type": "function", "name": "silent"},
        {"name": "anthropic", "input_schema": {}, "strict": True},
        "no tool",
        {"strict": "true", "name": "text"},
    ]
    assert strict_names(tools) == {"nested", "flat", "anthropic"}
    assert strict_names(None) == frozenset()


def test_a_recorded_reply_says_itself_which_tools_were_strict() -> None:
    judge = Judge({"f": closed(a=TEXT), "g": closed(a=TEXT)})
    tools = ({"type": "function", "name": "f", "strict": True},)
    calls = tuple(Call(None, name, '{"a": null}') for name in ("f", "g"))
    first, second = judge.judge_reply(Reply(1, 0, "openai_responses", calls, tools))
    assert faults(first) == []
    assert faults(second) == [("null_for_optional", "/a")]


# -- branches --------------------------------------------------------------------------------------

CIRCLE = {
    **closed(kind={"const": "circle"}, radius={"type": "number"}, unit={"enum": ["cm", "mm"]}),
    "required": ["kind", "radius"],
}
SQUARE = {
    **closed(kind={"const": "square"}, side={"type": "number"}, unit={"enum": ["cm", "mm"]}),
    "required": ["kind", "side"],
}


@pytest.mark.parametrize("keyword", ["anyOf", "oneOf"])
@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"kind": "circle", "radius": 1}, []),
        ({"kind": "square", "side": "2"}, [("number_as_string", "/s/side")]),
        (
            {"kind": "circle", "side": 2},
            [("missing_required", "/s/radius"), ("unknown_key", "/s/side")],
        ),
        ({"kind": "Square", "side": 2}, [("enum_case", "/s/kind")]),
        ({"kind": "square", "side": 2, "unit": "CM"}, [("enum_case", "/s/unit")]),
        ({"side": 2}, [("missing_required", "/s/kind")]),
        ({"kind": "triangle", "side": 2}, [("enum_invented", "/s/kind")]),
        ("circle", [("wrong_type", "/s")]),
    ],
)
def test_the_closest_branch_speaks(keyword: str, value: Any, expected: Found) -> None:
    for branches in ([CIRCLE, SQUARE], [SQUARE, CIRCLE], [SQUARE, {"type": "null"}, CIRCLE]):
        assert judged(closed(s={keyword: branches}), {"s": value}) == expected


def test_a_branch_behind_a_reference_speaks_too() -> None:
    schema = {
        **closed(s={"oneOf": [{"$ref": "#/$defs/c"}, {"$ref": "#/$defs/s"}]}),
        "$defs": {"c": CIRCLE, "s": SQUARE},
    }
    assert judged(schema, {"s": {"kind": "square", "side": "2"}}) == [
        ("number_as_string", "/s/side")
    ]


def test_fitting_two_branches_of_one_of_is_no_fault() -> None:
    assert judged(closed(a={"oneOf": [INTEGER, {"type": "number"}]}), {"a": 1}) == []


def test_a_list_or_one_of_its_items() -> None:
    part = {"anyOf": [TEXT, {"type": "array", "items": TEXT}]}
    assert judged(closed(a=part), {"a": "x"}) == []
    assert judged(closed(a=part), {"a": [1]}) == [("wrong_type", "/a/0")]


# -- keys ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "known"),
    [
        ("Location", "location"),
        ("first_name", "firstName"),
        ("first-name", "first_name"),
        ("First Name", "first_name"),
        ("user.id", "userId"),
        ("ÉTAT", "état"),
        ("$top", "top"),
    ],
)
def test_near_misses(written: str, known: str) -> None:
    schema = {**closed(**{known: TEXT}), "required": [known]}
    assert judged(schema, {written: "x"}) == [("near_miss_key", f"/{written}")]


@pytest.mark.parametrize(
    ("written", "known"), [("locations", "location"), ("+", "-"), ("état", "etat"), ("", "a")]
)
def test_no_near_misses(written: str, known: str) -> None:
    assert judged(closed(**{known: TEXT}), {written: "x"}) == [("unknown_key", f"/{written}")]


def test_a_near_miss_beside_the_known_key_is_one_fault() -> None:
    schema = {**closed(a_b=TEXT), "required": ["a_b"]}
    assert judged(schema, {"a_b": "x", "aB": "y"}) == [("near_miss_key", "/aB")]


def test_a_near_miss_does_not_hide_another_missing_key() -> None:
    schema = {**closed(a_b=TEXT, c=TEXT), "required": ["a_b", "c"]}
    assert judged(schema, {"aB": "x"}) == [("near_miss_key", "/aB"), ("missing_required", "/c")]


@pytest.mark.parametrize(
    "opener",
    [
        {"additionalProperties": True},
        {"additionalProperties": {}},
        {"patternProperties": {"^x-": {}}},
        {"allOf": [{"properties": {"b": {}}}]},
        {"anyOf": [{"required": ["a"]}, {"required": ["b"]}]},
        {"oneOf": [{"required": ["a"]}, {"required": ["b"]}]},
        {"$ref": "#/$defs/more"},
    ],
)
def test_an_object_that_says_more_is_open(opener: dict[str, Any]) -> None:
    schema = {**closed(a=TEXT), **opener, "$defs": {"more": {"properties": {"c": TEXT}}}}
    assert judged(schema, {"a": "x", "b": 1}) == []


@pytest.mark.parametrize(
    "open_one", [{"type": "object"}, {}, {"type": "object", "required": ["a"]}]
)
def test_an_object_that_lists_nothing_is_open(open_one: dict[str, Any]) -> None:
    assert judged(open_one, {"a": 1, "anything": 2}) == []


def test_an_empty_list_of_properties_is_a_list() -> None:
    assert judged({"type": "object", "properties": {}}, {"a": 1}) == [("unknown_key", "/a")]


# -- enums and types -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "written", ["very fast", "VERY FAST", "very_fast", " Very  Fast!", "veryfast"]
)
def test_enum_punctuation(written: str) -> None:
    expected = [] if written == "very fast" else [("enum_case", "/a")]
    assert judged(closed(a=SPEED), {"a": written}) == expected


def test_enums_of_punctuation_are_told_apart_by_it() -> None:
    operators = closed(op={"type": "string", "enum": ["+", "-", ">="]})
    assert judged(operators, {"op": "*"}) == [("enum_invented", "/op")]
    assert judged(operators, {"op": " + "}) == [("enum_case", "/op")]


@pytest.mark.parametrize(
    ("part", "value", "expected"),
    [
        ({"enum": [1, 2]}, 1.0, []),
        ({"enum": [1, 2]}, True, [("enum_invented", "/a")]),
        ({"enum": [True]}, 1, [("enum_invented", "/a")]),
        ({"enum": ["1"]}, 1, [("enum_invented", "/a")]),
        ({"type": "integer", "enum": [1, 2]}, "1", [("number_as_string", "/a")]),
        ({"const": {"x": [1]}}, {"x": [1.0]}, []),
        ({"type": ["integer", "boolean"]}, "true", [("bool_as_string", "/a")]),
        ({"type": ["integer", "boolean"]}, "many", [("word_for_number", "/a")]),
        ({"type": ["integer", "array"]}, "many", [("string_for_array", "/a")]),
        ({"type": ["integer", "string"]}, "many", []),
        ({"type": "number"}, "-1.5e3", [("number_as_string", "/a")]),
        ({"type": "number"}, "1,234.50", [("number_as_string", "/a")]),
        ({"type": "number"}, "", [("word_for_number", "/a")]),
        ({"type": "number"}, "12 apples", [("word_for_number", "/a")]),
        ({"type": "integer"}, 3.0, []),
        ({"type": "integer"}, 1e3, []),
        ({"type": "object"}, "{}", [("wrong_type", "/a")]),
        ({"type": "array"}, {}, [("wrong_type", "/a")]),
        ({"type": "boolean"}, 0, [("wrong_type", "/a")]),
        ({"type": "string", "format": "date"}, "tomorrow", []),
        ({"type": "array", "enum": ["a", "b"]}, ["c"], []),
    ],
)
def test_types_and_choices(part: dict[str, Any], value: Any, expected: Found) -> None:
    assert judged(closed(a=part), {"a": value}) == expected


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ({"minimum": 1, "exclusiveMinimum": True}, 1),
        ({"exclusiveMaximum": 5}, 5),
        ({"multipleOf": 0.25}, 0.3),
        ({"maxLength": 1}, "👍👍"),
        ({"pattern": "^[a-z]+$"}, "ABC"),
        ({"minItems": 1}, []),
        ({"maxItems": 1}, [1, 2]),
        ({"contains": INTEGER}, ["a"]),
        ({"contains": INTEGER, "minContains": 2}, ["a", 1]),
        ({"contains": INTEGER, "maxContains": 1}, [2, 1]),
        ({"minProperties": 1}, {}),
        ({"maxProperties": 0}, {"a": 1}),
        ({"propertyNames": {"maxLength": 1}}, {"ab": 1}),
        ({"dependentRequired": {"a": ["b"]}}, {"a": 1}),
        ({"dependentSchemas": {"a": {"required": ["b"]}}}, {"a": 1}),
        ({"not": INTEGER}, 1),
    ],
)
def test_constraints(part: dict[str, Any], value: Any) -> None:
    assert judged(closed(p=part), {"p": value}) == [("constraint", "/p")]


def test_a_property_that_may_not_be_given() -> None:
    assert judged(closed(a=False), {"a": 1}) == [("constraint", "/a")]
    assert judged(closed(a=False), {}) == []


# -- the document's faults -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("schema", "arguments", "pointer"),
    [
        ({**closed(a=TEXT), "required": ["a", "b"]}, {"a": "x"}, "/required"),
        (closed(a={"type": "array", "enum": ["x", "y"]}), {"a": ["x"]}, "/properties/a/enum"),
        (closed(a={"$ref": "#/$defs/gone"}), {"a": 1}, "/properties/a/$ref"),
        (closed(a={"$ref": "other.json#/a"}), {"a": 1}, "/properties/a/$ref"),
        (closed(a={"type": "strin"}), {"a": 1}, "/properties/a/type"),
        (closed(a={"type": "string", "pattern": "("}), {"a": "x"}, "/properties/a/pattern"),
        (closed(a={"type": "string", "default": None}), {"a": None}, "/properties/a/default"),
        (closed(a={"enum": ["x"], "default": "y"}), {"a": "y"}, "/properties/a/default"),
        (closed(a={"minimum": "low"}), {"a": 1}, "/properties/a/minimum"),
        (closed(a={"dependentRequired": {"x": 5}}), {"a": {}}, "/properties/a/dependentRequired"),
        ({"type": "string"}, {"a": 1}, "/type"),
        ({"type": "array", "items": TEXT}, {}, "/type"),
    ],
)
def test_the_document_is_at_fault_not_the_call(schema: Any, arguments: Any, pointer: str) -> None:
    judge = Judge({"f": schema})
    (verdict,) = judge.judge([Call(None, "f", arguments)])
    assert verdict.faults == ()
    assert [fault.pointer for fault in judge.tools["f"].document_faults] == [pointer]


def test_a_schema_too_deep_to_be_read_accuses_nobody() -> None:
    for levels in (100, 200, 600, 5_000):
        schema: Any = INTEGER
        for _ in range(levels):
            schema = closed(a=schema)
        judge = Judge({"f": schema})
        (verdict,) = judge.judge([Call(None, "f", {})])
        assert verdict.faults == ()


@pytest.mark.parametrize("schema", [None, True, [], "object", 7, {"properties": []}, {"$ref": "#"}])
def test_a_schema_that_says_nothing_takes_anything(schema: Any) -> None:
    assert judged(schema, {"a": [1]}) == []


# -- names and duplicates --------------------------------------------------------------------------


def test_unknown_functions_suggest_the_nearest() -> None:
    judge = Judge({"get_weather": {}, "get_time": {}})
    for name, hint in (("get_wether", "`get_weather`"), ("multi_tool_use.parallel", "`get_time`")):
        (verdict,) = judge.judge([Call("1", name, "not even JSON")])
        assert faults(verdict) == [("unknown_function", "")]
        assert hint in verdict.faults[0].message
    assert faults(Judge({}).judge([Call(None, "", "{}")])[0]) == [("unknown_function", "")]


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ('{"a": 1}', '{"a": 1.0}', True),
        ('{"a": 1}', '{"a": true}', False),
        ('{"a": 0}', '{"a": false}', False),
        ('{"a": "1"}', '{"a": 1}', False),
        ('{"a": null}', "{}", False),
        ("", "{}", True),
        (None, "null", True),
        ('{"a": [1, 2]}', '{"a": [2, 1]}', False),
        ('{"a": {"x": 1, "y": 2}}', {"a": {"y": 2, "x": 1}}, True),
        ('{"a": 1e2}', '{"a": 100}', True),
        ('{"a": "é"}', '{"a": "\\u00e9"}', True),
        ('{"a": 123456789012345678901}', '{"a": 123456789012345678902}', False),
        ('{"b": 1, "a": 123456789012345678901}', '{"a": 123456789012345678901, "b": 1}', True),
        ('{"a": ', '{"a": ', True),
        ('{"a": ', '{"a":  ', False),
    ],
)
def test_duplicates_are_equal_values(first: Any, second: Any, same: bool) -> None:
    verdicts = Judge({"f": {}}).judge([Call("1", "f", first), Call("2", "f", second)])
    marked = ["duplicate_parallel" in dict(faults(verdict)) for verdict in verdicts]
    assert marked == [False, same]


def test_every_further_duplicate_is_marked_and_keeps_its_other_faults() -> None:
    calls = [Call(None, "f", '{"a": "1"}'), Call(None, "g", '{"a": "1"}')] * 2
    calls.append(Call(None, "f", '{"a": "1"}'))
    verdicts = Judge({"f": closed(a=INTEGER), "g": {}}).judge(calls)
    assert [faults(verdict) for verdict in verdicts] == [
        [("number_as_string", "/a")],
        [],
        [("duplicate_parallel", ""), ("number_as_string", "/a")],
        [("duplicate_parallel", "")],
        [("duplicate_parallel", ""), ("number_as_string", "/a")],
    ]


def test_the_same_call_in_two_replies_is_no_duplicate() -> None:
    judge = Judge({"f": {}})
    for _ in range(2):
        assert faults(judge.judge([Call(None, "f", "{}")])[0]) == []


def test_without_a_contract_there_are_no_faults() -> None:
    (verdict,) = unjudged([Call("1", "f", "{")])
    assert (verdict.faults, verdict.contract) == ((), False)


def test_messages_say_how_to_mend_the_call() -> None:
    schema = {
        **closed(n=INTEGER, flag=FLAG, list={"type": "array"}, speed=SPEED, near_key=TEXT),
        "required": ["n"],
    }
    wrong = {"flag": "x", "list": "a", "speed": "FAST", "nearKey": "", "sped": 1}
    (verdict,) = Judge({"f": schema}).judge([Call(None, "f", wrong)])
    messages = {fault.pointer: fault.message for fault in verdict.faults}
    assert messages == {
        "/flag": '`/flag` is "x" (string); expected boolean; write true or false without quotes',
        "/list": '`/list` is "a" (string); expected array; write a JSON array',
        "/n": "`n` (integer) is required and missing",
        "/nearKey": "`nearKey` is unknown; write `near_key`",
        "/sped": "`sped` is unknown; did you mean `speed`?",
        "/speed": '`/speed` is "FAST"; write "fast"',
    }
