"""YAML as OpenAPI means it: the 1.2 core schema, text keys, no tags that build objects.

PyYAML's own constructors follow YAML 1.1 (`on` is true, `2020-01-01` a date) and take five times as
long; this reads the parser's events, which libyaml gives when it is there.
"""

import re
from typing import Any

import yaml
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from plugin.contract.operation import Note
from plugin.contract.pointer import child

_MAX_NODES = 3_000_000
"""Nodes that aliases may expand to; more is a bomb (a list of ten aliases, ten levels deep)."""

MAX_DEPTH = 300
"""Levels of a document; real ones have fewer than fifty."""

_INTEGER = re.compile(r"[-+]?[0-9]{1,300}|0o[0-7]{1,300}|0x[0-9a-fA-F]{1,300}")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]{1,3})?")
_WORDS: dict[str, Any] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_NUMBER_STARTS = frozenset("+-.0123456789")
_TEXT_TAGS = frozenset({"!", "tag:yaml.org,2002:str", "tag:yaml.org,2002:binary"})
_MERGE = "<<"


class YamlError(ValueError):
    """The text is not YAML; the message says where."""


def read_yaml(text: str, notes: list[Note]) -> Any:
    """The first document of the text. Raises YamlError."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(text)
    try:
        return _Builder(notes).build(loader)
    except yaml.YAMLError as error:
        raise YamlError(" ".join(str(error).split())) from error
    finally:
        loader.dispose()


def plain_value(text: str) -> Any:
    """What an unquoted scalar stands for in the core schema; infinities and NaN stay text."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in _NUMBER_STARTS:
        return text
    if _INTEGER.fullmatch(text):
        return int(text, 0) if text[:2] in ("0x", "0o") else int(text)
    if _FLOAT.fullmatch(text):
        number = float(text)
        return number if abs(number) != float("inf") else text
    return text


class _Builder:
    """Values out of parser events, without recursion, counting what aliases expand to."""

    def __init__(self, notes: list[Note]) -> None:
        self._notes = notes
        self._open: list[_Frame] = []
        self._anchors: dict[str, tuple[Any, int]] = {}
        self._nodes = 0
        self._result: Any = None

    def build(self, loader: Any) -> Any:
        get_event = loader.get_event
        steps = {
            ScalarEvent: self._scalar,
            MappingStartEvent: self._start_mapping,
            MappingEndEvent: self._end,
            SequenceStartEvent: self._start_sequence,
            SequenceEndEvent: self._end,
            AliasEvent: self._alias,
        }
        documents = 0
        while loader.check_event():
            event = get_event()
            step = steps.get(type(event))
            if step is not None:
                step(event)
            elif type(event) is DocumentStartEvent:
                documents += 1
                if documents > 1:
                    self._note("only the first of several YAML documents was read")
                    break
        return self._result

    def _scalar(self, event: Any) -> None:
        text = event.value
        top = self._open[-1] if self._open else None
        if top is not None and top.wants_key:
            top.key = text
            top.plain_key = event.implicit[0]
            top.wants_key = False
            if event.anchor:
                self._anchors[event.anchor] = (text, 1)
            return
        tag = event.tag
        if event.implicit[0] or (tag and tag not in _TEXT_TAGS):
            text = plain_value(text)
        self._nodes += 1
        if event.anchor:
            self._anchors[event.anchor] = (text, 1)
        self._put(text)

    def _start_mapping(self, event: Any) -> None:
        self._push(_Frame({}, event.anchor, self._nodes, wants_key=True))

    def _start_sequence(self, event: Any) -> None:
        self._push(_Frame([], event.anchor, self._nodes, wants_key=False))

    def _push(self, frame: "_Frame") -> None:
        if len(self._open) >= MAX_DEPTH:
            raise YamlError(f"nested deeper than {MAX_DEPTH} levels")
        if self._open and self._open[-1].wants_key:
            frame.is_key = True
        self._nodes += 1
        self._open.append(frame)

    def _end(self, _event: Any) -> None:
        frame = self._open.pop()
        if frame.merges:
            frame.value = {**_merged(frame.merges), **frame.value}
        if frame.anchor:
            self._anchors[frame.anchor] = (frame.value, self._nodes - frame.before)
        if frame.is_key:
            self._note("a key that is not text was left out")
            top = self._open[-1]
            top.wants_key, top.key = False, None
        else:
            self._put(frame.value)

    def _alias(self, event: Any) -> None:
        value, size = self._anchors.get(event.anchor, (None, -1))
        if size < 0:
            self._note(f"the alias *{event.anchor} names nothing complete and was read as null")
        self._nodes += max(size, 1)
        if self._nodes > _MAX_NODES:
            raise YamlError(f"aliases expand to more than {_MAX_NODES:,} values")
        top = self._open[-1] if self._open else None
        if top is not None and top.wants_key:
            top.key = value if isinstance(value, str) else str(value)
            top.wants_key = False
        else:
            self._put(value)

    def _put(self, value: Any) -> None:
        if not self._open:
            self._result = value
            return
        top = self._open[-1]
        if isinstance(top.value, list):
            top.value.append(value)
            return
        key, top.wants_key = top.key, True
        if key is None:
            return
        if key == _MERGE and top.plain_key:
            top.merges.append(value)
            return
        if key in top.value:
            self._note(f"the key {key!r} stands twice in one object; the last one counts")
        top.value[key] = value

    def _note(self, reason: str) -> None:
        self._notes.append(Note(self._pointer(), reason))

    def _pointer(self) -> str:
        pointer = ""
        for frame in self._open[:-1]:
            step = len(frame.value) if isinstance(frame.value, list) else frame.key or ""
            pointer = child(pointer, step)
        return pointer


class _Frame:
    """A mapping or sequence that is still open."""

    __slots__ = ("anchor", "before", "is_key", "key", "merges", "plain_key", "value", "wants_key")

    def __init__(self, value: Any, anchor: str | None, before: int, *, wants_key: bool) -> None:
        self.value = value
        self.anchor = anchor
        self.before = before
        self.wants_key = wants_key
        self.is_key = False
        self.key: str | None = None
        self.plain_key = True
        self.merges: list[Any] = []


def _merged(sources: list[Any]) -> dict[str, Any]:
    """The keys that `<<` brings in: YAML 1.1's, but documents use it; an earlier source wins."""
    found: dict[str, Any] = {}
    for source in sources:
        for mapping in source if isinstance(source, list) else [source]:
            if isinstance(mapping, dict):
                found = {**mapping, **found}
    return found
