"""What an upstream said in place of a result: its words and codes, from any form it chose.

Servers answer refusals as OpenAI's error object, as a text or a list in its place, as FastAPI's
`detail`, as plain text, or as a page. The HTTP status may be 200.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from html import unescape
from typing import Any

import orjson

_LONGEST = 500
_DEEPEST = 4
_EMPTY = len('{"error": null}') + 1
"""Characters below which JSON without a text says nothing."""


_ERROR_NAMES = ("error", "errors", "detail", "details", "message", "msg", "error_message")
_TEXT_NAMES = ("message", "msg", "error_description", "description", "title", "reason", "detail")
_SECRET = re.compile(
    r"(?:gpk_|\bsk-|\bBearer\s+)[A-Za-z0-9._~+/=-]{6,}|eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9._-]+"
)
_TITLE = re.compile(r"<(title|h1)\b[^>]*>(.*?)</\1", re.IGNORECASE | re.DOTALL)
_TAG = re.compile(r"<[^>]*>")

_HIDDEN = "[secret]"
_STATUSES = range(400, 600)


@dataclass(frozen=True, slots=True)
class Said:
    """What was said. `in_words` is False where the upstream gave no text of its own.

    `status` is a number that the error itself carries, if it is one of HTTP's errors. `own_form`
    tells OpenAI's form, which clients know, from all others.
    """

    message: str = ""
    kind: str | None = None
    code: str | None = None
    param: str | None = None
    status: int | None = None
    own_form: bool = False
    is_known: bool = True
    """Whether the form is one of an error; else `message` is the body, whatever it is."""

    @property
    def in_words(self) -> bool:
        """Whether there is a text."""
        return bool(self.message)


NOTHING = Said()


def said(body: bytes, key: str | None = None) -> Said:
    """Read what a body says; `key`, the operator's, is hidden wherever the upstream repeats it."""
    if key is not None:
        body = body.replace(key.encode(), b"[key]")
    text = body.decode("utf-8", "replace")
    try:
        found = read(orjson.loads(body))
    except ValueError:
        return Said(_shown(_plain(text)), is_known=False)
    # In a form that nobody knows, the JSON itself is what was said.
    return (
        found
        if found.in_words or len(text) < _EMPTY
        else replace(found, message=_shown(text), is_known=False)
    )


def read(value: Any) -> Said:
    """Read an error that came as JSON, in any form."""
    found = next(_objects(value, 0), None)
    if found is None:
        return Said(_shown(_text(value, 0)))
    own_form = isinstance(value, dict) and isinstance(value.get("error"), dict)
    return Said(
        _shown(_text(found, 0)),
        _name(found, "type", "status"),
        _name(found, "code"),
        _name(found, "param"),
        _status(found, value),
        own_form and isinstance(found.get("message"), str),
    )


def error_in(value: Mapping[str, Any], expected: str | None) -> Said | None:
    """Return the error that an object carries in the place of a result; None for a result.

    `expected` is the member that a result has, such as `choices`.
    """
    if value.get("error") or value.get("object") == "error":
        return read(value)
    if expected is None or expected in value:
        return None
    return read(value) if any(value.get(name) for name in _ERROR_NAMES) else None


def _objects(value: Any, depth: int) -> Iterator[dict[str, Any]]:
    """The innermost object that tells an error, found through wrappers and lists."""
    if depth > _DEEPEST:
        return
    if isinstance(value, list):
        for item in value[:1]:
            yield from _objects(item, depth + 1)
    elif isinstance(value, dict):
        for name in _ERROR_NAMES:
            inner = value.get(name)
            if isinstance(inner, dict) or (isinstance(inner, list) and _has_error(inner)):
                yield from _objects(inner, depth + 1)
                return
        yield value


def _has_error(items: list[Any]) -> bool:
    # FastAPI's list of faults is told as one text
    first = items[0] if items else None
    return isinstance(first, dict) and "loc" not in first


def _text(value: Any, depth: int) -> str:
    if isinstance(value, str) or depth > _DEEPEST:
        return value if isinstance(value, str) else ""
    if isinstance(value, list):
        return "; ".join(filter(None, (_text(item, depth + 1) for item in value[:5])))
    if not isinstance(value, dict):
        return ""
    names = (*_TEXT_NAMES, *_ERROR_NAMES, *(("type",) if "loc" in value else ()))
    text = next(filter(None, (_text(value.get(name), depth + 1) for name in names)), "")
    where = value.get("loc")
    place = ".".join(map(str, where)) if isinstance(where, list) else ""
    return f"{place}: {text}" if place and text else text


def _name(found: Mapping[str, Any], *names: str) -> str | None:
    for name in names:
        value = found.get(name)
        if isinstance(value, str) and value and not value.isdigit():
            return _SECRET.sub(_HIDDEN, value[:200])
    return None


def _status(found: Mapping[str, Any], whole: Any) -> int | None:
    outer = whole if isinstance(whole, dict) else {}
    for holder in (found, outer):
        for name in ("code", "status", "status_code", "statusCode"):
            value = holder.get(name)
            if isinstance(value, str) and value.isdigit():
                value = int(value[:4])
            if isinstance(value, int) and value in _STATUSES:
                return value
    return None


def _plain(text: str) -> str:
    if "<" not in text:
        return text
    title = _TITLE.search(text)
    return unescape(_TAG.sub(" ", title[2] if title else text))


def _shown(text: str) -> str:
    printable = "".join(sign if sign.isprintable() else " " for sign in text[: 4 * _LONGEST])
    line = _SECRET.sub(_HIDDEN, " ".join(printable.split()))
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"
