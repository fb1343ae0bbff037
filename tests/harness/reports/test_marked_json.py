"""Values as lines: every place that a fault names is marked, and the text is JSON."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugin.contract.pointer import child
from plugin.harness.reports.marked_json import print_marked

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=12,
)


def printed(value: Any, *places: str) -> list[str]:
    marks = {"": " ", "wrong": "!", "missing": "?", "left_out": "-"}
    return [marks[line.mark] + line.text for line in print_marked(value, places)]


@given(JSON)
def test_without_marks_it_is_the_value_in_json(value: Any) -> None:
    assert json.loads("\n".join(line.text for line in print_marked(value, ()))) == value


def pointers(value: Any, at: str = "") -> list[str]:
    pairs = list(value.items()) if isinstance(value, dict) else []
    pairs = list(enumerate(value)) if isinstance(value, list) else pairs
    return [at] + [found for key, part in pairs for found in pointers(part, child(at, key))]


@given(JSON, st.data())
def test_every_place_is_marked_somewhere(value: Any, data: st.DataObject) -> None:
    place = data.draw(st.sampled_from(pointers(value)))
    lines = print_marked(value, (place,))
    assert json.loads("\n".join(line.text for line in lines)) == value
    assert "wrong" in {line.mark for line in lines}


@pytest.mark.parametrize(
    ("value", "places", "expected"),
    [
        ({"a": 1, "b": 2}, ["/b"], [" {", '   "a": 1,', '!  "b": 2', " }"]),
        ({"a": 1}, ["/b"], [" {", '   "a": 1', '?  "b": …', " }"]),
        ({}, ["/b"], [" {", '?  "b": …', " }"]),
        ({}, [], [" {}"]),
        ({"a": 1}, [], [' {"a": 1}']),
        ({"a": {"b": {}}}, ["/a/b/c"], None),
        ({"a": [1, "2"]}, ["/a/1"], [" {", '!  "a": [1, "2"]', " }"]),
        ("x", [""], ['!"x"']),
    ],
)
def test_lines(value: Any, places: list[str], expected: list[str] | None) -> None:
    found = printed(value, *places)
    if expected is None:
        assert [line for line in found if line.startswith("?")] == ['?      "c": …']
    else:
        assert found == expected


def test_long_values_are_shortened_but_never_a_marked_line() -> None:
    value = {"items": [{"n": n, "deep": {"x": n}} for n in range(5000)], "last": "y" * 9000}
    lines = print_marked(value, ("/items/4321/n", "/last"))
    assert len(lines) < 400
    wrong = [line.text.strip() for line in lines if line.mark == "wrong"]
    assert wrong[0] == '"n": 4321,'
    assert wrong[1].startswith('"last": "yyy')
    assert "(8,760 more characters)" in wrong[1]
    assert any(line.mark == "left_out" and "more" in line.text for line in lines)
