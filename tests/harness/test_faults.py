"""The names of what is wrong with a single value."""

from typing import Any

import pytest

from plugin.harness.faults import FaultKind, alike, for_outside_enum, for_wrong_type, shown


@pytest.mark.parametrize(
    "text",
    [
        "3",
        " 3 ",
        "-3",
        "+3",
        "3.5",
        ".5",
        "1,000",
        "1_000",
        "1 000 000",
        "1'000.5",
        "1e5",
        "-2.5E-3",
    ],
)
def test_texts_that_read_as_numbers(text: str) -> None:
    assert for_wrong_type(text, ["integer"]) is FaultKind.NUMBER_AS_STRING
    assert for_wrong_type(text, ["number", "boolean"]) is FaultKind.NUMBER_AS_STRING


@pytest.mark.parametrize(
    "text", ["", "three", "3 apples", "3-4", "1/2", "$5", "NaN", "1,", ",1", "e5"]
)
def test_texts_that_do_not(text: str) -> None:
    assert for_wrong_type(text, ["integer"]) is FaultKind.WORD_FOR_NUMBER


def test_long_digits_take_no_long_time() -> None:
    assert for_wrong_type("1" * 100_000 + "x", ["number"]) is FaultKind.WORD_FOR_NUMBER
    assert for_wrong_type("1," * 50_000 + "x", ["number"]) is FaultKind.WORD_FOR_NUMBER


@pytest.mark.parametrize(
    ("value", "types", "kind"),
    [
        ("yes", ["boolean"], FaultKind.BOOL_AS_STRING),
        ("3", ["boolean"], FaultKind.BOOL_AS_STRING),
        ("TRUE ", ["integer", "boolean"], FaultKind.BOOL_AS_STRING),
        ("3", ["array", "integer"], FaultKind.NUMBER_AS_STRING),
        ("x", ["array", "integer"], FaultKind.STRING_FOR_ARRAY),
        ("x", ["array", "null"], FaultKind.STRING_FOR_ARRAY),
        ("x", ["object"], FaultKind.WRONG_TYPE),
        ("x", ["null"], FaultKind.WRONG_TYPE),
        (3, ["string"], FaultKind.WRONG_TYPE),
        (None, ["array"], FaultKind.WRONG_TYPE),
        (["3"], ["number"], FaultKind.WRONG_TYPE),
    ],
)
def test_values_of_the_wrong_type(value: Any, types: list[str], kind: FaultKind) -> None:
    assert for_wrong_type(value, types) is kind


def test_the_allowed_value_that_was_meant() -> None:
    assert for_outside_enum("north_west", ["east", "North West"]) == (
        FaultKind.ENUM_CASE,
        "North West",
    )
    assert for_outside_enum("north", ["north-west", 3]) == (FaultKind.ENUM_INVENTED, None)
    assert for_outside_enum(3, ["3"]) == (FaultKind.ENUM_INVENTED, None)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("a", "A", True),
        ("straße", "STRASSE", True),
        ("c++", "C", True),
        ("+", "-", False),
        ("+", "+ ", True),
        ("", "-", False),
        ("", "", True),
        (1, 1, False),
        (None, "None", False),
    ],
)
def test_alike(one: Any, other: Any, same: bool) -> None:
    assert alike(one, other) is same


def test_values_are_shown_short() -> None:
    assert shown({"a": 1}) == '{"a":1}'
    assert shown("x" * 100) == '"' + "x" * 58 + "…"
    assert shown(2**80) == str(2**80)
    assert shown("\ud800") == "'\\ud800'"
