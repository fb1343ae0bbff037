"""What an explanation says where several explanations are possible."""

from typing import Any

from plugin.harness.argument_schema import read
from plugin.harness.explain import explain


def found(schema: Any, arguments: Any) -> list[tuple[str, str]]:
    return [(fault.pointer, str(fault.fault)) for fault in explain(read(schema), arguments)]


def test_arguments_that_fit_need_no_explanation() -> None:
    assert found({"properties": {"a": {"type": "integer"}}}, {"a": 1}) == []


def test_the_faults_of_both_branches_of_a_merge_are_named_once() -> None:
    part = {"properties": {"a": {"type": "integer"}}, "required": ["b"]}
    assert found({"allOf": [part, part]}, {"a": "x"}) == [
        ("/a", "word_for_number"),
        ("/b", "missing_required"),
    ]


def test_two_kinds_of_fault_at_one_place() -> None:
    schema = {"properties": {"a": {"maxItems": 1, "items": {"type": "integer"}}}}
    assert found(schema, {"a": ["1", 2]}) == [("/a", "constraint"), ("/a/0", "number_as_string")]


def test_only_the_condition_that_holds_is_explained() -> None:
    schema = {
        "type": "object",
        "if": {"properties": {"unit": {"const": "m"}}},
        "then": {"required": ["metres"]},
        "else": {"required": ["feet"]},
    }
    assert found(schema, {"unit": "m"}) == [("/metres", "missing_required")]
    assert found(schema, {"unit": "ft"}) == [("/feet", "missing_required")]


def test_unevaluated_keys_and_items() -> None:
    schema = {"allOf": [{"properties": {"a": {}}}], "unevaluatedProperties": False}
    assert found(schema, {"a": 1}) == []
    assert found(schema, {"a": 1, "b": 2}) == [("/b", "unknown_key")]
    schema["allOf"] = [{"properties": {"a": {"type": "integer"}}}]
    assert found(schema, {"a": "1"}) == [("/a", "number_as_string")]
    schema = {"properties": {"p": {"prefixItems": [{}], "unevaluatedItems": False}}}
    assert found(schema, {"p": [1, 2]}) == [("/p", "constraint")]


def test_a_reference_with_neighbours() -> None:
    schema = {
        "properties": {"a": {"$ref": "#/$defs/n", "maximum": 5}},
        "$defs": {"n": {"type": "integer", "minimum": 3}},
    }
    assert found(schema, {"a": 4}) == []
    assert found(schema, {"a": 9}) == [("/a", "constraint")]
    assert found(schema, {"a": 1}) == [("/a", "constraint")]


def test_a_value_that_no_branch_takes_is_named_by_the_nearest() -> None:
    seat = {"anyOf": [{"type": "integer"}, {"type": "string", "enum": ["window", "aisle"]}]}
    schema = {"properties": {"seat": seat}}
    for value, kind in (
        ("12", "number_as_string"),
        ("Window", "enum_case"),
        ("middle", "enum_invented"),
        (True, "wrong_type"),
        (1.5, "wrong_type"),
    ):
        assert found(schema, {"seat": value}) == [("/seat", kind)]


def test_lists_longer_than_a_message_are_cut() -> None:
    schema = {"properties": {"a": {"enum": [f"value {number}" for number in range(100)]}}}
    (fault,) = explain(read(schema), {"a": "x" * 1000})
    assert fault.message.endswith('"value 11" (and 88 more)')
    assert len(fault.message) < 400
