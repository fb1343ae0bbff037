import gc
import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugin.contract.operation import Note
from plugin.contract.text import parse, without_control_characters
from plugin.errors import CannotRun


def parsed(data: bytes | str) -> tuple[object, list[str]]:
    notes: list[Note] = []
    return parse(data, notes), [note.reason for note in notes]


@pytest.mark.parametrize(
    "data",
    [
        '{"a": "ü"}',
        '﻿{"a": "ü"}',
        '{"a": "ü"}'.encode(),
        b"\xef\xbb\xbf" + '{"a": "ü"}'.encode(),
        '{"a": "ü"}'.encode("utf-16"),
        '{"a": "ü"}'.encode("utf-32"),
        "a: ü",
        '{a: "ü",}',
    ],
)
def test_reads_json_and_yaml_in_every_unicode_encoding(data: bytes | str) -> None:
    assert parsed(data) == ({"a": "ü"}, [])


def test_strips_control_characters_and_says_so() -> None:
    value, notes = parsed('{"a": "b\x00\x08c\x7f"}')
    assert value == {"a": "bc"}
    assert notes == ["3 control characters were stripped"]


def test_strips_control_characters_that_an_escape_hides() -> None:
    assert parsed('{"a\\u0001": ["b\\u0000c", "\\ud83d\\ude00", "\\ud800"]}') == (
        {"a": ["bc", "😀", ""]},
        [],
    )


def test_replaces_what_is_not_utf8() -> None:
    value, notes = parsed(b'{"a": "\xff"}')
    assert value == {"a": "\ufffd"}
    assert notes == ["byte 7 is not UTF-8; unreadable bytes were replaced"]


def test_notes_a_key_that_stands_twice() -> None:
    value, notes = parsed('{"a": 1, "b": {"c": 1, "c": 2}}')
    assert value == {"a": 1, "b": {"c": 2}}
    assert notes == ["the key 'c' stands twice in one object; the last one counts"]


def test_reads_nan_as_null() -> None:
    assert parsed('{"a": NaN}') == ({"a": None}, ["NaN is no JSON value and was read as null"])


@pytest.mark.parametrize(
    "data", ["", "  \n", b"\x00\x01", "{", "a: [", "[" * 100_000, "[" * 400 + "]" * 400, "@"]
)
def test_refuses_what_is_no_document(data: bytes | str) -> None:
    with pytest.raises(CannotRun):
        parse(data, [])


def test_leaves_the_collector_as_it_was() -> None:
    parse("{}", [])
    assert gc.isenabled()
    gc.disable()
    try:
        parse("{}", [])
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_without_control_characters_keeps_lines_and_tabs() -> None:
    assert without_control_characters("a\tb\n\x07c") == "a\tb\nc"


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(categories=["L", "N", "P", "Zs"])),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.text(st.characters(categories=["L"])), inner)
    ),
    max_leaves=20,
)


@given(json_values)
def test_any_json_comes_back(value: object) -> None:
    assert parse(json.dumps(value), []) == value


@given(st.binary() | st.text())
def test_raises_nothing_but_cannot_run(data: bytes | str) -> None:
    with suppress(CannotRun):
        parse(data, [])
