"""What in a contract broke a call: each kind of change, in words."""

import json
from typing import Any

import pytest

from plugin.contract.openapi import read
from plugin.harness.drift.compare import Drift, Drifted
from tests.harness.recordings import replies

Json = dict[str, Any]
TEXT: Json = {"type": "string"}
PLACE: Json = {"type": "object", "properties": {"city": TEXT, "zip": TEXT}, "required": ["city"]}


def body(properties: Json, *required: str, **more: Any) -> Json:
    return {"type": "object", "properties": properties, "required": list(required), **more}


def contract(schema: Json, **more: Any) -> Any:
    operation = {
        "operationId": "f",
        "requestBody": {"content": {"application/json": {"schema": schema}}},
    }
    document = {"openapi": "3.1.0", "paths": {"/f": {"post": operation}}, **more}
    return read(json.dumps(document))


def causes(old: Any, new: Any, arguments: Any, *, strict: bool = False) -> tuple[str, ...]:
    entry = {"type": "function", "function": {"name": "f", "arguments": json.dumps(arguments)}}
    tools = [{"type": "function", "function": {"name": "f", "parameters": {}, "strict": strict}}]
    recording = {
        "request": {"tools": tools},
        "response": {"choices": [{"message": {"tool_calls": [entry]}}]},
    }
    (found,) = Drift(old, new).run(replies(recording))
    assert isinstance(found, Drifted)
    return found.causes


A: list[tuple[str, Json, Json, Json, tuple[str, ...]]] = [
    ("required", body({"a": TEXT, "b": TEXT}), body({"a": TEXT, "b": TEXT}, "b"), {"a": "x"},
     ("`b` became required",)),
    ("two causes", body({"a": TEXT, "b": {"enum": [1, 2]}}),
     body({"a": TEXT, "b": {"enum": [1]}}, "a"), {"b": 2},
     ("`a` became required", "`b` no longer allows 2")),
    ("nearest of two at one place", body({"a": {"type": ["integer", "string"], "minimum": 0}}),
     body({"a": {"type": "integer", "minimum": 5}}), {"a": 3},
     ("`a`: minimum was 0, now 5",)),
    ("the other of the two", body({"a": {"type": ["integer", "string"], "minimum": 0}}),
     body({"a": {"type": "integer", "minimum": 5}}), {"a": "x"},
     ("`a`: the type was integer or string, now integer",)),
    ("removed", body({"a": TEXT, "b": {"type": "integer"}}), body({"a": TEXT}), {"b": 1},
     ("`b` was removed",)),
    ("renamed by case", body({"userId": TEXT}, "userId"), body({"user_id": TEXT}, "user_id"),
     {"userId": "x"}, ("`userId` was renamed to `user_id`",)),
    ("renamed among several", body({"start": {**TEXT, "description": "From."}, "x": TEXT}),
     body({"since": {**TEXT, "description": "From."}, "y": {"type": "boolean"}}),
     {"start": "x"}, ("`start` was renamed to `since`",)),
    ("not renamed: of another kind", body({"a": TEXT}), body({"z": {"type": "boolean"}}),
     {"a": "x"}, ("`a` was removed",)),
    ("closed at the root", body({"a": TEXT}, additionalProperties={"type": "integer"}),
     body({"a": TEXT}, additionalProperties=False), {"q": 1},
     ("no other arguments than those listed are taken",)),
    ("closed by saying nothing any more", body({"a": TEXT}, additionalProperties=True),
     body({"a": TEXT}), {"q": 1}, ("no other arguments than those listed are taken",)),
    ("closed inside", body({"a": {**PLACE, "additionalProperties": True}}), body({"a": PLACE}),
     {"a": {"city": "x", "q": 1}}, ("`a` takes no other keys than those listed",)),
    ("other keys of another type", body({"a": {"additionalProperties": {"type": "integer"}}}),
     body({"a": {"additionalProperties": TEXT}}), {"a": {"q": 1}},
     ("`a.*`: the type was integer, now string",)),
    ("nullable no more", body({"a": {"type": ["string", "null"]}}), body({"a": TEXT}), {"a": None},
     ("`a`: the type was null or string, now string",)),
    ("items", body({"a": {"type": "array", "items": TEXT}}),
     body({"a": {"type": "array", "items": {"type": "integer"}}}), {"a": ["x", "y"]},
     ("`a[]`: the type was string, now integer",)),
    ("a choice less", body({"a": {"anyOf": [TEXT, {"type": "integer"}, {"type": "boolean"}]}}),
     body({"a": {"anyOf": [TEXT, {"type": "boolean"}]}}), {"a": 5},
     ("`a`: integer may not stand here any more",)),
    ("in a choice", body({"a": {"anyOf": [PLACE, {"type": "integer"}]}}),
     body({"a": {"anyOf": [{**PLACE, "required": ["city", "zip"]}, {"type": "integer"}]}}),
     {"a": {"city": "x"}}, ("`a.zip` became required",)),
    ("one of what must all fit", body({"a": {"allOf": [PLACE, {"properties": {"n": TEXT}}]}}),
     body({"a": {"allOf": [{**PLACE, "required": ["city", "zip"]}, {"properties": {"n": TEXT}}]}}),
     {"a": {"city": "x"}}, ("`a.zip` became required",)),
    ("one more that must fit", body({"a": {"allOf": [PLACE]}}),
     body({"a": {"allOf": [PLACE, {"required": ["zip"]}]}}), {"a": {"city": "x"}},
     ("`a`: without a type must fit as well now",)),
    ("a condition", body({"a": {"type": "integer"}}),
     body({"a": {"type": "integer", "not": {"const": 3}}}), {"a": 3},
     ("`a`: not was not set, now {'const': 3}",)),
    ("keys that come together", body({"a": TEXT, "b": TEXT}),
     body({"a": TEXT, "b": TEXT}, dependentRequired={"a": ["b"]}), {"a": "x"},
     ("the arguments: dependentRequired was not set, now {'a': ['b']}",)),
    ("a default that the enum excluded", body({"a": {"enum": ["x"], "default": "y"}}),
     body({"a": {"enum": ["x"]}}), {"a": "y"}, ("`a`: what it accepts changed",)),
    ("a key with a slash", body({"a/b": TEXT}), body({"a/b": {"type": "integer"}}), {"a/b": "x"},
     ("`a/b`: the type was string, now integer",)),
]  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "arguments", "expected"), [row[1:] for row in A], ids=[row[0] for row in A]
)
def test_a_change_is_named(
    old: Json, new: Json, arguments: Json, expected: tuple[str, ...]
) -> None:
    assert causes(contract(old), contract(new), arguments) == expected


def test_a_null_that_left_an_optional_argument_out_breaks_when_it_is_required() -> None:
    old, new = body({"a": TEXT, "b": TEXT}), body({"a": TEXT, "b": TEXT}, "b")
    found = causes(contract(old), contract(new), {"a": "x", "b": None}, strict=True)
    assert found == ("`b` became required",)


def test_a_shared_component_is_looked_into() -> None:
    def shared(*required: str) -> Any:
        node = body({"n": TEXT, "next": {"$ref": "#/components/schemas/Node"}}, *required)
        schema = body({"a": {"$ref": "#/components/schemas/Node"}})
        return contract(schema, components={"schemas": {"Node": node}})

    found = causes(shared(), shared("n"), {"a": {"n": "x", "next": {}}})
    assert found == ("`a.n` became required",)


def test_causes_are_few_whatever_calls_hold() -> None:
    old = contract(body({"a": {"type": "object"}}, additionalProperties=True))
    new = contract(body({"a": {"type": "object", "properties": {"x": TEXT}}}))
    found = {causes(old, new, {"a": {f"key {n}": n}, f"other {n}": n}) for n in range(20)}
    assert len(found) == 1


def test_an_operation_that_moved_with_its_words_is_found() -> None:
    def at(path: str, name: str, summary: str) -> Any:
        operation = {"operationId": name, "summary": summary}
        return read(json.dumps({"openapi": "3.1.0", "paths": {path: {"get": operation}}}))

    old = at("/a", "f", "Does it.")
    assert causes(old, at("/b", "g", "Does it."), {}) == ("the operation was renamed to `g`",)
    assert causes(old, at("/a", "g", "Other."), {}) == ("the operation was renamed to `g`",)
    assert causes(old, at("/b", "g", "Other."), {}) == ("the operation was removed",)


def test_what_keeps_an_operation_from_being_called_is_said() -> None:
    broken = {"$ref": "#/components/schemas/Gone"}
    found = causes(contract(body({"a": TEXT})), contract(body({"a": broken})), {"a": "x"})
    assert len(found) == 1
    assert found[0].startswith("the operation cannot be called any more: ")
    assert "Gone" in found[0]


def test_the_properties_of_a_body_become_arguments() -> None:
    old = contract({"type": "array", "items": TEXT})
    assert causes(old, contract(body({"a": TEXT})), {"body": ["x"]}) == (
        "the properties of the body became arguments of their own",
    )
