"""Reading JSON exactly, and writing what was read."""

import json

import pytest

from plugin.harness.json_text import NotJson, dumps, loads


@pytest.mark.parametrize(
    "text",
    [
        "123456789012345678901234567890",
        "-99999999999999999999",
        "18446744073709551615",
        "0.1234567890123456789012",
        '["1234567890123456789012"]',
        '{"a": [1.5, true, null, "é"]}',
    ],
)
def test_values_are_exact_and_can_be_written(text: str) -> None:
    expected = json.loads(text)
    for given in (text, text.encode()):
        value = loads(given)
        assert (value, type(value)) == (expected, type(expected))
    assert json.loads(dumps(loads(text))) == expected


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('"\\ud83d"', "\ufffd"),
        ('"\\ud83d\\ude00"', "😀"),
        ('"\\ude00\\ud83d"', "\ufffd\ufffd"),
        (
            '{"\\ud83d": ["\\udc00", 12345678901234567890123]}',
            {"\ufffd": ["\ufffd", 12345678901234567890123]},
        ),
        ('"\\\\ud83d"', "\\ud83d"),
    ],
)
def test_half_pairs_become_the_replacement_character(text: str, value: object) -> None:
    assert loads(text) == value
    dumps(loads(text))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"a": }', "at character 6"),
        ("NaN", "NaN is no JSON value"),
        ("[-Infinity]", "-Infinity is no JSON value"),
        ("1e400", "1e400 is beyond the range of numbers"),
        ("[" * 201 + "]" * 201, "nested deeper than 200 levels"),
        ("[" * 3000 + "]" * 3000, "nested deeper than 200 levels"),
        ('{"a":' * 201 + "1" + "}" * 201, "nested deeper than 200 levels"),
        ("9" * 5000, "4300 digits"),
        ("", "at character 0"),
    ],
)
def test_what_is_refused_and_why(text: str, reason: str) -> None:
    with pytest.raises(NotJson, match=reason):
        loads(text)
    with pytest.raises(NotJson, match=reason):
        loads(text.encode())


def test_bytes_that_are_no_utf_8() -> None:
    with pytest.raises(NotJson, match="byte 1 is not UTF-8"):
        loads(b'"\xff"')


def test_wide_is_not_deep() -> None:
    assert len(loads("[" + "[],{}," * 5000 + "1]")) == 10_001
    assert loads("[" * 200 + "]" * 200)
    assert loads('"' + "[" * 500 + '"') == "[" * 500


def test_a_verdict_around_the_deepest_value_can_be_written() -> None:
    deepest = loads("[" * 200 + "]" * 200)
    assert dumps({"calls": [{"arguments": {"a": deepest}}]}).count(b"[") == 201
