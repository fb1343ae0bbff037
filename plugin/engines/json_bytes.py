"""JSON that is passed on as bytes: finds single members of the outer object without parsing it."""

import re
from collections.abc import Collection
from typing import Any

import orjson

# A flat list (such as a vector) is one token: it is skipped at the speed of memory.
_TOKEN = re.compile(
    rb'"(?P<text>[^"\\]*+(?:\\.[^"\\]*+)*+)"(?P<key>\s*+:\s*+)?'
    rb'|\[[^\[\]{}"]*+\]'
    rb"|(?P<open>[{\[])"
    rb"|(?P<close>[}\]])"
    rb'|(?P<cut>")',
    re.DOTALL,
)
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_OPEN = b"{"[0]


def value_starts(
    data: bytes, names: Collection[bytes], start: int = 0
) -> tuple[dict[bytes, int], int]:
    """Where the values of the outer object's members lie, as far as they are named; and its end.

    `start` is where the object begins. Raises `ValueError` when it does not end.
    """
    found: dict[bytes, int] = {}
    depth = 0
    for token in _TOKEN.finditer(data, start):
        kind = token.lastgroup
        if kind == "key":
            if depth == 1 and token["text"] in names:
                found[token["text"]] = token.end()
        elif kind == "open":
            depth += 1
        elif kind == "close":
            depth -= 1
            if depth <= 0:
                return found, token.end()
        elif kind == "cut":
            break
    raise ValueError("the object does not end")


def member_names(data: bytes, start: int = 0) -> list[bytes]:
    """The names of the outer object's members in their order, unescaped, each as often as it is.

    Raises `ValueError` when the object does not end.
    """
    found: list[bytes] = []
    depth = 0
    for token in _TOKEN.finditer(data, start):
        kind = token.lastgroup
        if kind == "key" and depth == 1:
            found.append(orjson.loads(b'"%s"' % token["text"]).encode())
        elif kind == "open":
            depth += 1
        elif kind == "close":
            depth -= 1
            if depth <= 0:
                return found
        elif kind == "cut":
            break
    raise ValueError("the object does not end")


def object_at(data: bytes, start: int) -> dict[str, Any] | None:
    """The object that begins at `start`, or None when another value does.

    Raises `ValueError` for what is not JSON.
    """
    if data[start] != _OPEN:
        return None
    _, end = value_starts(data, (), start)
    value: dict[str, Any] = orjson.loads(data[start:end])
    return value


def with_text(data: bytes, start: int, text: bytes) -> bytes:
    """`data` with `text` (quoted) in place of the string that begins at `start`, if one does."""
    found = _STRING.match(data, start)
    if found is None or found[0] == text:
        return data
    return data[:start] + text + data[found.end() :]
