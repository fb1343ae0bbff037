"""Event streams as text."""

import pytest

from plugin.harness.formats import sse


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("", []),
        ("data: 1\n\ndata: 2\n\n", [1, 2]),
        ("data: 1\n\ndata: 2", [1, 2]),
        ("data:1\r\n\r\ndata:2\r\n\r\n", [1, 2]),
        ("data: 1\r\rdata: 2\r\r", [1, 2]),
        ("\ufeffdata: 1\n\n", [1]),
        ("event: x\nid: 3\nretry: 5\ndata: 1\n\n: comment\n\n", [1]),
        ("data: [1,\ndata: 2]\n\n", [[1, 2]]),
        ("data: [DONE]\n\n", []),
        ('data: {"a": 1}\n\ndata: {"a": ', [{"a": 1}]),
        ("data\n\ndata: 1\n\n", [1]),
        ('data: "a\u2028b"\n\n', ["a\u2028b"]),
        ("event: x\n\n", []),
        ("other: 1\n\n", []),
    ],
)
def test_values(text: str, values: list[object]) -> None:
    assert sse.values(text) == values


@pytest.mark.parametrize("text", ["data: 1", "event: x\n", ": hello", "\n\ndata:1", "\ufeffid: 4"])
def test_what_looks_like_events(text: str) -> None:
    assert sse.looks_like_events(text)


@pytest.mark.parametrize("text", ["", "{}", "database: 1", '{"data": 1}', "[1]", "dat"])
def test_what_does_not(text: str) -> None:
    assert not sse.looks_like_events(text)
