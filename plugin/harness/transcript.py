"""A transcript: recorded replies of models, read from a file of any known format, row by row."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any, BinaryIO

from plugin.harness import envelopes, formats
from plugin.harness.argument_schema import type_of
from plugin.harness.faults import shown
from plugin.harness.formats import sse
from plugin.harness.formats.format import mapping
from plugin.harness.json_text import NotJson, loads
from plugin.messages import Call


@dataclass(frozen=True, slots=True)
class Reply:
    """One recorded reply of a model.

    `row` counts lines or list items of the input from 1, `index` the replies inside the row from 0.
    `tools` is what the recorded request declared, as recorded, or None where nothing was recorded.
    """

    row: int
    index: int
    format: str
    calls: tuple[Call, ...]
    tools: tuple[Any, ...] | None


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A row that cannot be read, and why."""

    row: int
    error: str


def read(stream: BinaryIO) -> Iterator[Reply | Unreadable]:
    """The replies of a transcript: JSON lines, one JSON value, or one recorded event stream.

    JSON lines are read line by line, so that memory stays flat however long the file is.
    """
    lines = iter(stream.readline, b"")
    head = _up_to_text(lines)
    if not head or not _is_json(head[-1]):
        return _read_whole(b"".join([*head, *lines]))
    more = _up_to_text(lines)
    if not more or not more[-1].strip():
        return _read_value(loads(head[-1]), row=len(head))
    return _read_lines(chain(head, more, lines))


def rows_are_lines(data: bytes) -> bool:
    """Whether row 7 of a file is its line 7: in JSON lines it is, in an indented list not."""
    lines = [line for line in data.removeprefix(b"\xef\xbb\xbf").splitlines() if line.strip()]
    if not lines:
        return False
    if _is_json(lines[0]):
        return len(lines) > 1 or not isinstance(loads(lines[0]), list)
    return not _is_json(data) and not sse.looks_like_events(data.decode("utf-8", "replace"))


def _up_to_text(lines: Iterator[bytes]) -> list[bytes]:
    """The next lines up to the first that is not blank; a byte order mark is dropped."""
    taken: list[bytes] = []
    for line in lines:
        taken.append(line.removeprefix(b"\xef\xbb\xbf"))
        if taken[-1].strip():
            break
    return taken


def _is_json(line: bytes) -> bool:
    try:
        loads(line)
    except NotJson:
        return False
    return True


def _read_whole(data: bytes) -> Iterator[Reply | Unreadable]:
    """A file whose first line is no JSON value: indented JSON, an event stream, or bad lines."""
    try:
        return _read_value(loads(data))
    except NotJson:
        text = data.decode("utf-8", "replace")
        if sse.looks_like_events(text):
            return _read_row(1, text)
        return _read_lines(iter(data.splitlines(keepends=True)))


def _read_value(value: Any, row: int = 1) -> Iterator[Reply | Unreadable]:
    """One JSON value: a list's items are rows, unless the whole list is one conversation."""
    if not isinstance(value, list) or _is_one_conversation(value):
        return _read_row(row, value)
    return chain.from_iterable(_read_row(*numbered) for numbered in enumerate(value, start=1))


def _is_one_conversation(items: list[Any]) -> bool:
    known = formats.recognise(items)
    if known is not None:
        return known.name in ("messages", "gemini")
    return formats.are_events(items)


def _read_lines(lines: Iterable[bytes]) -> Iterator[Reply | Unreadable]:
    for row, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            value = loads(line)
        except NotJson as error:
            yield Unreadable(row, f"line {row} is not JSON: {error}")
        else:
            yield from _read_row(row, value)


def _read_row(row: int, value: Any) -> Iterator[Reply | Unreadable]:
    body = envelopes.reply(value)
    known = formats.recognise(body)
    if known is None:
        yield Unreadable(row, _unknown(body))
        return
    tools = envelopes.declared(value, body)
    index = -1
    for index, calls in enumerate(known.replies(body)):
        yield Reply(row, index, known.name, calls, tools)
    if index < 0 and "response" in mapping(value):
        yield Unreadable(row, "the recorded response holds no reply of a model")


def _unknown(body: Any) -> str:
    names = ", ".join(known.name for known in formats.FORMATS)
    error = mapping(body).get("error")
    if error:
        message = mapping(error).get("message") or error
        return f"the provider answered with an error, not with a reply: {str(message)[:200]}"
    if isinstance(body, dict):
        shape = f"an object with the keys {', '.join(list(body)[:8]) or '(none)'}"
    else:
        shape = f"{type_of(body)} {shown(body)}"
    return f"no known format ({names}) fits {shape}; record what the provider answered, whole"
