"""The text of a document, JSON or YAML, into plain values; oddities become notes."""

import codecs
import gc
import json
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from plugin.contract.operation import Note
from plugin.contract.yaml import MAX_DEPTH, YamlError, read_yaml
from plugin.errors import CannotRun

_UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufeff\ufffe\uffff]"
)
"""What YAML forbids and no JSON text needs, with lone surrogates and stray byte order marks."""

_ESCAPED = re.compile(r"\\u(?:00[01]|[dD][89a-fA-F])")
"""A JSON escape that may stand for a control character or half a surrogate pair."""

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


def parse(data: bytes | str, notes: list[Note]) -> Any:
    """The value that the text stands for, as `json.loads` would make it.

    Raises CannotRun when the text is neither JSON nor YAML.
    """
    text = _printable(_decoded(data, notes), notes)
    if not text.strip():
        raise CannotRun("the document is empty: give an OpenAPI document in JSON or YAML")
    with _collector_paused():
        if text.lstrip()[0] in '{["':
            try:
                return _json(text, notes)
            except (ValueError, RecursionError):
                pass  # flow style YAML begins like JSON
        try:
            return read_yaml(text, notes)
        except YamlError as error:
            raise CannotRun(f"the document is neither JSON nor YAML: {error}") from error


def without_control_characters(text: str) -> str:
    """The text as a person or a model may see it; tabs and line ends stay."""
    return _UNPRINTABLE.sub("", text)


def _decoded(data: bytes | str, notes: list[Note]) -> str:
    if isinstance(data, str):
        return data.removeprefix("\ufeff")
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data[len(mark) :].decode(encoding, errors="replace")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        notes.append(Note("", f"byte {error.start} is not UTF-8; unreadable bytes were replaced"))
        return data.decode(errors="replace")


def _printable(text: str, notes: list[Note]) -> str:
    cleaned, count = _UNPRINTABLE.subn("", text)
    if count:
        notes.append(Note("", f"{count} control characters were stripped"))
    return cleaned


def _json(text: str, notes: list[Note]) -> Any:
    repeated: set[str] = set()

    def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            counts = Counter(name for name, _ in pairs)
            repeated.update(name for name, count in counts.items() if count > 1)
        return found

    def no_constant(name: str) -> None:
        notes.append(Note("", f"{name} is no JSON value and was read as null"))

    value = json.loads(text, strict=False, object_pairs_hook=members, parse_constant=no_constant)
    notes.extend(
        Note("", f"the key {name!r} stands twice in one object; the last one counts")
        for name in sorted(repeated)
    )
    if _is_deep(value):
        raise ValueError(f"nested deeper than {MAX_DEPTH} levels")
    return _cleaned(value) if _ESCAPED.search(text) else value


def _is_deep(value: Any) -> bool:
    """Whether there are more levels than a recursive walk could follow."""
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(MAX_DEPTH):
        level = [
            member
            for holder in level
            for member in (holder.values() if isinstance(holder, dict) else holder)
            if isinstance(member, dict | list)
        ]
        if not level:
            return False
    return True


def _cleaned(value: Any) -> Any:
    """The value with control characters gone from every text and key that an escape hid."""
    if isinstance(value, str):
        return _UNPRINTABLE.sub("", value)
    if isinstance(value, list):
        return [_cleaned(item) for item in value]
    if isinstance(value, dict):
        return {_UNPRINTABLE.sub("", key): _cleaned(item) for key, item in value.items()}
    return value


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Parsing makes a million containers and no garbage; the collector would walk them all."""
    running = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if running:
            gc.enable()
