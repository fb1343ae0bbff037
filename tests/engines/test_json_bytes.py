import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugin.engines.json_bytes import object_at, value_starts, with_text

NAMES = st.sampled_from(["model", "usage", "a"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | NAMES,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(NAMES | st.text(), inner, max_size=4)
    ),
    max_leaves=8,
)


@given(st.dictionaries(NAMES | st.text(), VALUES), st.booleans(), st.sampled_from([None, 2]))
def test_members_are_found_where_a_parser_finds_them(
    value: dict[str, Any], ascii_alone: bool, indent: int | None
) -> None:
    data = json.dumps(value, ensure_ascii=ascii_alone, indent=indent).encode(errors="replace")
    value = orjson.loads(data)  # as `object_at` reads integers of more than 64 bits
    starts, end = value_starts(data, {b"model", b"usage"})
    assert end == len(data)
    assert {name.decode() for name in starts} == value.keys() & {"model", "usage"}
    for name, start in starts.items():
        inner = value[name.decode()]
        assert object_at(data, start) == (inner if isinstance(inner, dict) else None)


@given(st.dictionaries(NAMES | st.text(), VALUES), st.text())
def test_one_text_is_replaced_and_nothing_else(value: dict[str, Any], text: str) -> None:
    data = json.dumps(value).encode()
    starts, _ = value_starts(data, {b"model"})
    if "model" not in value:
        return
    changed = with_text(data, starts[b"model"], json.dumps(text).encode())
    expected = text if isinstance(value["model"], str) else value["model"]
    assert json.loads(changed) == {**value, "model": expected}


@pytest.mark.parametrize("data", [b"", b"{", b'{"a": "}', b'{"a": [}', b'{"a": {}', b'"}"'])
def test_what_does_not_end_is_no_object(data: bytes) -> None:
    with pytest.raises(ValueError, match="end"):
        value_starts(data, ())
