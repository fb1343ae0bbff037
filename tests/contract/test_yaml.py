from typing import Any

import pytest
import yaml as pyyaml

from plugin.contract.operation import Note
from plugin.contract.yaml import YamlError, plain_value, read_yaml


def test_plain_words_of_yaml_1_1_stay_text() -> None:
    text = (
        "on: off\nyes: no\ny: n\ndate: 2024-10-01\ntime: 12:30:00\nversion: 1.0.0\n200: ok\nnull: x"
    )
    assert read_yaml(text, []) == {
        "on": "off",
        "yes": "no",
        "y": "n",
        "date": "2024-10-01",
        "time": "12:30:00",
        "version": "1.0.0",
        "200": "ok",
        "null": "x",
    }


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("~", None),
        ("", None),
        ("Null", None),
        ("TRUE", True),
        ("false", False),
        ("tRue", "tRue"),
        ("007", 7),
        ("-12", -12),
        ("+3", 3),
        ("0x1F", 31),
        ("0o17", 15),
        ("1_000", "1_000"),
        ("1.50", 1.5),
        (".5", 0.5),
        ("1e3", 1000.0),
        (".inf", ".inf"),
        (".nan", ".nan"),
        ("1e999", "1e999"),
        ("-", "-"),
        ("9" * 400, "9" * 400),
    ],
)
def test_plain_scalars_are_those_of_the_core_schema(text: str, value: Any) -> None:
    found = plain_value(text)
    assert found == value
    assert type(found) is type(value)


def test_quotes_and_tags_make_text() -> None:
    assert read_yaml("a: '1'\nb: \"true\"\nc: !!str 3\nd: !!int '4'\ne: !foo bar", []) == {
        "a": "1",
        "b": "true",
        "c": "3",
        "d": 4,
        "e": "bar",
    }


def test_anchors_and_merge_keys() -> None:
    text = "base: &b {x: 1, y: 2}\nmore: {<<: *b, y: 3}\nboth: {<<: [*b, {z: 9, x: 5}]}\nl: [*b]"
    assert read_yaml(text, []) == {
        "base": {"x": 1, "y": 2},
        "more": {"x": 1, "y": 3},
        "both": {"x": 1, "y": 2, "z": 9},
        "l": [{"x": 1, "y": 2}],
    }


def test_a_bomb_of_aliases_is_refused() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    with pytest.raises(YamlError, match="aliases expand"):
        read_yaml("\n".join(lines), [])


def test_a_circle_of_aliases_is_cut() -> None:
    notes: list[Note] = []
    assert read_yaml("a: &a [1, *a]", notes) == {"a": [1, None]}
    assert "names nothing complete" in notes[0].reason


def test_duplicate_keys_are_noted_where_they_stand() -> None:
    notes: list[Note] = []
    assert read_yaml("paths:\n  /a/b:\n    get: {x: 1, x: 2}\n", notes) == {
        "paths": {"/a/b": {"get": {"x": 2}}}
    }
    assert [note.pointer for note in notes] == ["/paths/~1a~1b/get"]


def test_only_the_first_document_counts() -> None:
    notes: list[Note] = []
    assert read_yaml("a: 1\n---\nb: 2\n", notes) == {"a": 1}
    assert len(notes) == 1


def test_a_key_that_is_not_text_is_left_out() -> None:
    notes: list[Note] = []
    assert read_yaml("? [a, b]\n: 1\nc: 2\n", notes) == {"c": 2}
    assert len(notes) == 1


def test_nesting_has_a_limit() -> None:
    with pytest.raises(YamlError, match="nested deeper"):
        read_yaml("[" * 400 + "]" * 400, [])


def test_reads_the_same_without_libyaml(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "a: &x {b: [1, yes, '2']}\nc: *x\nd: |\n  two\n  lines\n"
    fast = read_yaml(text, [])
    monkeypatch.delattr(pyyaml, "CSafeLoader", raising=False)
    assert (
        read_yaml(text, [])
        == fast
        == {
            "a": {"b": [1, "yes", "2"]},
            "c": {"b": [1, "yes", "2"]},
            "d": "two\nlines\n",
        }
    )
