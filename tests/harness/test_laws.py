"""Laws that hold for every schema and every value, found by search."""

import json
from collections.abc import Mapping
from typing import Any

import jsonschema
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from plugin.contract.pointer import MISSING, look_up
from plugin.harness import formats
from plugin.harness.argument_schema import read
from plugin.harness.declared import Judges
from plugin.harness.explain import explain
from plugin.harness.json_text import NotJson, dumps, loads
from plugin.harness.judge import Judge, decode
from plugin.harness.reports import text as report
from plugin.harness.transcript import Reply
from plugin.messages import Call
from tests.harness.recordings import read as read_transcript

# -- schemas that both implementations read alike, and values that nearly fit them -----------------

KEYS = st.sampled_from(["a", "b", "A", "user_id", "userId", "x/y", "~", "é", ""])
WORDS = st.sampled_from(["", "a", "A", "red", "Red", "dark red", "3", "true", "xyz", "ab", "é" * 5])
NUMBERS = st.one_of(
    st.integers(-4, 12), st.sampled_from([0.5, 2.0, -1.25, 1e20, 2**70, 10**30, 3.75])
)
SCALARS = st.one_of(st.none(), st.booleans(), NUMBERS, WORDS)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=8,
)
TYPES = ("string", "integer", "number", "boolean", "null", "array", "object")


def _some(parts: Mapping[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=dict(parts))


def _object(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    def with_required(properties: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
        names = st.lists(st.sampled_from(sorted(properties) or ["a"]), unique=True, max_size=3)
        return st.fixed_dictionaries(
            {"type": st.just("object"), "properties": st.just(properties)},
            optional={
                "required": names,
                "additionalProperties": st.booleans() | inner,
                "patternProperties": st.fixed_dictionaries({"^[a-m]": inner}),
                "minProperties": st.integers(0, 2),
                "maxProperties": st.integers(1, 4),
                "propertyNames": st.fixed_dictionaries({"maxLength": st.integers(0, 7)}),
            },
        )

    return st.dictionaries(KEYS, inner, max_size=4).flatmap(with_required)


def _array(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {"type": st.just("array")},
        optional={
            "items": inner,
            "prefixItems": st.lists(inner, min_size=1, max_size=2),
            "minItems": st.integers(0, 2),
            "maxItems": st.integers(1, 3),
            "uniqueItems": st.booleans(),
            "contains": inner,
        },
    )


LEAVES = st.one_of(
    st.booleans(),
    _some(
        {"type": st.sampled_from(TYPES) | st.lists(st.sampled_from(TYPES), min_size=1, unique=True)}
    ),
    st.fixed_dictionaries({"enum": st.lists(SCALARS, min_size=1, max_size=4)}),
    st.fixed_dictionaries({"const": VALUES}),
    st.fixed_dictionaries(
        {"type": st.just("string")},
        optional={
            "minLength": st.integers(0, 2),
            "maxLength": st.integers(1, 4),
            "pattern": st.sampled_from(["^[a-z]", "e", "^$|d"]),
        },
    ),
    st.fixed_dictionaries(
        {"type": st.sampled_from(["integer", "number"])},
        optional={
            "minimum": st.integers(-2, 3),
            "maximum": st.integers(2, 9),
            "exclusiveMinimum": st.integers(-2, 3),
            "exclusiveMaximum": st.integers(2, 9),
            "multipleOf": st.integers(1, 3),
        },
    ),
    st.sampled_from([{"$ref": "#/$defs/tree"}, {"$ref": "#/$defs/leaf"}]),
)


def _larger(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    branches = st.lists(inner, min_size=1, max_size=3)
    return st.one_of(
        _object(inner),
        _array(inner),
        st.fixed_dictionaries({"anyOf": branches}),
        st.fixed_dictionaries({"oneOf": branches}),
        st.fixed_dictionaries({"allOf": branches}),
        st.fixed_dictionaries({"anyOf": branches, "type": st.sampled_from(TYPES)}),
        st.fixed_dictionaries({"not": inner}),
        st.fixed_dictionaries({"if": inner, "then": inner}, optional={"else": inner}),
    )


DEFINITIONS = {
    "tree": {
        "type": "object",
        "properties": {"a": {"$ref": "#/$defs/leaf"}, "b": {"$ref": "#/$defs/tree"}},
        "required": ["a"],
    },
    "leaf": {"type": ["integer", "string"]},
}
SCHEMAS = _object(st.recursive(LEAVES, _larger, max_leaves=6)).map(
    lambda schema: {**schema, "$defs": DEFINITIONS}
)
ARGUMENTS = st.dictionaries(KEYS, VALUES, max_size=5)

many = settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])


# -- the rule by which objects are closed, written a second time -----------------------------------

_SAYS_MORE = {"additionalProperties", "patternProperties", "allOf", "anyOf", "oneOf", "$ref"}
_OF_OTHER_VALUES = {"items", "additionalProperties", "contains", "propertyNames"}
_OF_THE_SAME_VALUE = {"not", "if", "then", "else"}


def close(schema: Any, *, alone: bool = True) -> Any:
    """The schema as the rule reads it: an object that lists its properties has no others.

    `alone` is False where further schemas look at the same value (`allOf`, `not`, `if`, …): there
    none of them lists all keys. A value may fit several branches of `oneOf`.
    """
    if not isinstance(schema, dict):
        return schema
    closed = {
        "anyOf" if keyword == "oneOf" else keyword: _close_keyword(keyword, value, alone=alone)
        for keyword, value in schema.items()
    }
    if alone and "properties" in schema and not _SAYS_MORE & schema.keys():
        closed["additionalProperties"] = False
    if closed.get("additionalProperties") is False and "required" in closed:
        # what is required and cannot be given is the document's fault
        closed["required"] = [name for name in closed["required"] if name in schema["properties"]]
    return closed


def _close_keyword(keyword: str, value: Any, *, alone: bool) -> Any:
    if keyword == "$ref" and not alone:
        return f"{value}-open"
    if keyword == "$defs":
        opened = {f"{name}-open": close(part, alone=False) for name, part in value.items()}
        return {name: close(part) for name, part in value.items()} | opened
    if keyword in ("properties", "patternProperties"):
        return {name: close(part) for name, part in value.items()}
    if keyword in ("anyOf", "oneOf", "allOf", "prefixItems"):
        inside = keyword == "prefixItems" or (alone and keyword != "allOf")
        return [close(part, alone=inside) for part in value]
    if keyword in _OF_OTHER_VALUES | _OF_THE_SAME_VALUE:
        return close(value, alone=keyword in _OF_OTHER_VALUES)
    return value


def fits(schema: Any, value: Any) -> bool:
    return bool(jsonschema.Draft202012Validator(close(schema)).is_valid(value))


@many
@given(SCHEMAS, ARGUMENTS)
def test_a_call_is_faulted_exactly_when_it_does_not_fit(schema: Any, arguments: Any) -> None:
    (verdict,) = Judge({"f": schema}).judge([Call(None, "f", arguments)])
    assert (not verdict.faults) == fits(schema, arguments), verdict.faults


@many
@given(SCHEMAS, ARGUMENTS)
def test_text_and_object_are_judged_alike(schema: Any, arguments: Any) -> None:
    judge = Judge({"f": schema})
    (as_object,) = judge.judge([Call(None, "f", arguments)])
    (as_text,) = judge.judge([Call(None, "f", json.dumps(arguments))])
    assert as_object.faults == as_text.faults


@many
@given(SCHEMAS, ARGUMENTS)
def test_pointers_lead_to_a_value_or_to_a_key_that_is_missing(schema: Any, arguments: Any) -> None:
    for fault in explain(read(schema), arguments):
        if look_up(arguments, fault.pointer) is MISSING:
            parent = look_up(arguments, fault.pointer.rpartition("/")[0])
            assert fault.fault == "missing_required"
            assert isinstance(parent, dict)
        else:
            assert fault.fault != "missing_required"


@many
@given(SCHEMAS, ARGUMENTS)
def test_the_faults_are_sorted_and_named_once(schema: Any, arguments: Any) -> None:
    found = [(fault.pointer, fault.fault) for fault in explain(read(schema), arguments)]
    assert found == sorted(set(found))


@many
@given(SCHEMAS, ARGUMENTS)
def test_strict_drops_every_null_that_is_at_fault(schema: Any, arguments: Any) -> None:
    judge, call = Judge({"f": schema}), Call(None, "f", arguments)
    before = judge.judge([call])[0]
    after = judge.judge([call], strict=frozenset({"f"}))[0]
    nulls = {fault.pointer for fault in before.faults if fault.fault == "null_for_optional"}
    assert before.arguments == arguments
    assert all(look_up(after.arguments, pointer) is MISSING for pointer in nulls)


# -- nothing raises, whatever was recorded ---------------------------------------------------------

WORDS_OF_SCHEMAS = st.sampled_from(
    [
        *("type", "properties", "required", "items", "enum", "const", "anyOf", "oneOf", "allOf"),
        *("$ref", "$defs", "not", "if", "then", "default", "nullable", "additionalProperties"),
        *("patternProperties", "prefixItems", "dependentRequired", "dependentSchemas", "pattern"),
        *("minimum", "exclusiveMinimum", "multipleOf", "minLength", "uniqueItems", "contains"),
        *("unevaluatedProperties", "propertyNames", "object", "string", "array", "#/$defs/a", "#"),
        *("a", "", "~", "(", "^a"),
    ]
)
ANY_SCALAR = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=8),
)
ODD_SCHEMAS = st.recursive(
    ANY_SCALAR | WORDS_OF_SCHEMAS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(WORDS_OF_SCHEMAS, inner, max_size=5)
    ),
    max_leaves=25,
)
JSON = st.recursive(
    ANY_SCALAR,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=15,
)


@many
@given(ODD_SCHEMAS, JSON)
def test_any_value_will_do_as_a_schema(schema: Any, arguments: Any) -> None:
    judge = Judge({"f": schema})
    judge.judge([Call(None, "f", arguments), Call(None, "f", json.dumps(arguments))])
    explain(read(schema), arguments)


@many
@given(
    st.text(alphabet=st.characters()) | st.text(alphabet='{}[]":,\\u0d8tfn1.-eE \n', max_size=40)
)
def test_text_is_json_or_is_refused_with_a_reason(text: str) -> None:
    try:
        value = decode(text)
    except ValueError as error:
        assert str(error).startswith("the arguments are not JSON: ")  # noqa: PT017 - both ways are fine
    else:
        dumps(value)


@many
@given(JSON)
def test_what_is_json_is_read_exactly_and_can_be_written(value: Any) -> None:
    for text in (json.dumps(value), json.dumps(value, ensure_ascii=False).encode()):
        read_value = loads(text)
        assert read_value == json.loads(text)
        assert json.loads(dumps(read_value)) == read_value


@given(st.binary(max_size=40))
def test_bytes_are_json_or_are_refused(data: bytes) -> None:
    try:
        loads(data)
    except NotJson:
        return
    json.loads(data)


WORDS_OF_RECORDINGS = st.sampled_from(
    [
        *(
            "choices",
            "message",
            "delta",
            "tool_calls",
            "function_call",
            "function",
            "custom",
            "name",
        ),
        *("arguments", "input", "id", "index", "role", "content", "type", "candidates", "parts"),
        *(
            "functionCall",
            "args",
            "output",
            "output_index",
            "item",
            "item_id",
            "response",
            "request",
        ),
        *(
            "tools",
            "functions",
            "messages",
            "traj",
            "calls",
            "jsonrpc",
            "method",
            "params",
            "result",
        ),
        *(
            "content_block",
            "partial_json",
            "error",
            "strict",
            "parameters",
            "input_schema",
            "usage",
        ),
        *("promptFeedback", "responseId", "stop_reason", "object"),
    ]
)
VALUES_OF_RECORDINGS = st.sampled_from(
    [
        *(
            "assistant",
            "model",
            "user",
            "function_call",
            "mcp_call",
            "tool_use",
            "message",
            "response",
        ),
        *("chat.completion", "chat.completion.chunk", "tools/call", "2.0", "input_json_delta"),
        *("content_block_start", "content_block_delta", "response.output_item.added", "f", "{}"),
        *("response.function_call_arguments.delta", "custom_tool_call", "reasoning", "function"),
        "data: {}\n\n",
    ]
)
RECORDINGS = st.recursive(
    ANY_SCALAR | VALUES_OF_RECORDINGS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(WORDS_OF_RECORDINGS, inner, max_size=6)
    ),
    max_leaves=30,
)


def _judge_everything(data: bytes) -> None:
    judges = Judges()
    for one in read_transcript(data):
        if isinstance(one, Reply):
            assert one.format in {known.name for known in formats.FORMATS}
            verdicts = judges.verdicts(one)
            assert [verdict.call for verdict in verdicts] == list(one.calls)
            json.loads(dumps(report.judged_line(one, verdicts, judges.judge_of(one))))
        else:
            json.loads(dumps(report.unreadable_line(one)))


@many
@given(st.lists(RECORDINGS, max_size=3))
def test_any_json_lines_can_be_read_and_judged(rows: list[Any]) -> None:
    _judge_everything(b"".join(json.dumps(row).encode() + b"\n" for row in rows))
    _judge_everything(json.dumps(rows, indent=1).encode())


@many
@given(st.lists(RECORDINGS, max_size=5), st.sampled_from(["\n", "\r\n", "\r"]))
def test_any_events_can_be_read_and_judged(events: list[Any], end: str) -> None:
    text = "".join(f"data: {json.dumps(event)}{end}{end}" for event in events)
    _judge_everything(text.encode())
    _judge_everything(json.dumps({"response": text}).encode())


@many
@given(
    st.binary(max_size=80)
    | st.lists(
        st.sampled_from([b"{", b"}", b"[]", b"\n", b"data: ", b"\xff", b'"a"', b":", b"1"])
    ).map(b"".join)
)
def test_any_file_can_be_read(data: bytes) -> None:
    _judge_everything(data)
