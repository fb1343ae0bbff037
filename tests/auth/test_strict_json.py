import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugin.auth.strict_json import NotStrict, _depth, read_object

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    # half a surrogate pair can be written in JSON, not in UTF-8
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=12,
)


@given(st.dictionaries(st.text(max_size=5), VALUES, max_size=5), st.booleans())
def test_an_honest_object_is_read_as_it_is(value: dict[str, Any], ascii_only: bool) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only)
    try:
        data = text.encode()
    except UnicodeEncodeError:
        return
    if _depth(text) <= 16:
        assert read_object(data) == value


@given(st.binary(max_size=80) | st.text('{}[]":,\\u0a1eE+-. \n', max_size=80).map(str.encode))
def test_anything_else_is_refused_in_one_way(data: bytes) -> None:
    try:
        value = read_object(data)
    except NotStrict:
        return
    assert value == json.loads(data)


@pytest.mark.parametrize(
    ("text", "depth"),
    [
        ("7", 0),
        ("{}", 1),
        ('{"a": [1, {"b": []}], "c": {}}', 4),
        ('{"a": "[[[[{{{{"}', 1),
        ('{"a": "\\"[[["}', 1),
        ('{"a": "\\\\"}', 1),
        ('"[[[', 0),
        ('"[[[\\', 0),
        ("[[[", 3),
        ("]]]", 0),
    ],
)
def test_depth_counts_brackets_outside_strings(text: str, depth: int) -> None:
    assert _depth(text) == depth


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        (b'{"a":1,"a":1}', "duplicate_member"),
        (b'{"a":1,"\\u0061":1}', "duplicate_member"),
        (b'[{"a":{"b":1,"b":2}}]', "duplicate_member"),
        (b'{"a":NaN}', "finite"),
        (b'{"a":-Infinity}', "finite"),
        (b'{"a":1e400}', "finite"),
        (b"{" * 17, "depth"),
        (b'{"a":' * 17 + b"1" + b"}" * 17, "depth"),
        (b'{"a":' + b"9" * 5_000 + b"}", "json"),
        (b'\xef\xbb\xbf{"a":1}', "json"),
        (b"\xff", "utf8"),
        (b'"a"', "json"),
        (b"", "json"),
    ],
)
def test_rules(data: bytes, rule: str) -> None:
    with pytest.raises(NotStrict) as caught:
        read_object(data)
    assert caught.value.rule == rule


def test_sixteen_levels_are_read() -> None:
    assert read_object(b'{"a":' * 16 + b"1" + b"}" * 16)
