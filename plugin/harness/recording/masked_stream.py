"""A recorded event stream with secrets masked: also those that came in several pieces.

Providers send a text in fragments, so a secret may lie across many events. Those of one text are
put together, masked, and if that changed anything the first event carries the whole and the others
nothing. Every other event keeps its bytes.
"""

import re
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any

from plugin.harness.formats.format import mapping
from plugin.harness.json_text import NotJson, dumps, loads

_BETWEEN_EVENTS = re.compile(r"((?:\r\n|\r|\n){2,})")
_END_OF_LINE = re.compile(r"\r\n|\r|\n")

Path = tuple[str | int, ...]
Fragment = tuple[Any, Path]
"""A piece of a text: which text it belongs to, and where in its event it stands."""


def mask(text: str, mask_text: Callable[[str], str], mask_value: Callable[[Any], Any]) -> str:
    """The stream, masked: `mask_text` for texts put together, `mask_value` for whole events."""
    blocks = _BETWEEN_EVENTS.split(text)
    values = [_value(block) for block in blocks]
    pieces = _masked_pieces(values, mask_text)
    for index, value in enumerate(values):
        if value is None:
            blocks[index] = mask_text(blocks[index])
            continue
        # A piece alone says nothing: it was looked at as part of its text.
        for path in pieces[index]:
            _put(value, path, "")
        masked = mask_value(value)
        for path, piece in pieces[index].items():
            _put(masked, path, piece)
        if masked != _value(blocks[index]):
            blocks[index] = _with_data(blocks[index], masked)
    return "".join(blocks)


def _masked_pieces(values: list[Any], mask_text: Callable[[str], str]) -> list[dict[Path, str]]:
    """For each event the pieces of texts that it carries, as they shall be."""
    pieces: list[dict[Path, str]] = [{} for _ in values]
    for places in _texts(values):
        texts = [_get(values[index], path) for index, path in places]
        whole = "".join(texts)
        masked = mask_text(whole)
        if masked != whole:
            texts = [masked, *("" for _ in texts[1:])]
        for (index, path), piece in zip(places, texts, strict=True):
            pieces[index][path] = piece
    return pieces


def _value(block: str) -> Any:
    """The JSON value of an event's data, None where it has none."""
    data = [line[5:].removeprefix(" ") for line in _lines(block) if line.startswith("data:")]
    try:
        return loads("\n".join(data)) if data else None
    except NotJson:
        return None


def _with_data(block: str, value: Any) -> str:
    """An event with other data: one line in the place of the first."""
    kept = [line for line in _lines(block) if not line.startswith("data:")]
    return "\n".join([*kept, f"data: {dumps(value).decode()}"])


def _lines(block: str) -> list[str]:
    return _END_OF_LINE.split(block.removeprefix("\ufeff"))


def _texts(values: list[Any]) -> list[list[tuple[int, Path]]]:
    """The texts of a stream, each as its pieces: the event's number and where it stands in it."""
    found: dict[Any, list[tuple[int, Path]]] = {}
    calls = _Calls()
    for index, value in enumerate(values):
        event = mapping(value)
        for track, path in chain(_chat(event, calls), _blocks(event), _parts(event)):
            found.setdefault(track, []).append((index, path))
    return list(found.values())


class _Calls:
    """Tells the calls of a chat stream apart; some servers give them all one index."""

    def __init__(self) -> None:
        self._current: dict[Any, tuple[int, Any]] = {}
        self._begun = 0

    def of(self, choice: Any, piece: dict[str, Any]) -> int:
        """The number of the call that a piece belongs to."""
        at = (choice, piece.get("index"))
        number, known = self._current.get(at, (0, None))
        given = piece.get("id") or None
        if not number or (given and known and given != known):
            self._begun += 1
            number, known = self._begun, None
        self._current[at] = (number, known or given)
        return number


def _chat(event: dict[str, Any], calls: _Calls) -> Iterator[Fragment]:
    for at, choice in _listed(event, ("choices",)):
        number, delta = choice.get("index"), mapping(choice.get("delta"))
        path = (*at, "delta")
        yield from _strings(delta, path, ("choice", number), leave=("role",))
        legacy = mapping(delta.get("function_call"))
        yield from _strings(legacy, (*path, "function_call"), ("function_call", number))
        for place, piece in _listed(delta, (*path, "tool_calls")):
            call = calls.of(number, piece)
            for key in ("function", "custom"):
                yield from _strings(mapping(piece.get(key)), (*place, key), ("call", call))


def _blocks(event: dict[str, Any]) -> Iterator[Fragment]:
    """Anthropic's content blocks, and the deltas of the Responses API."""
    delta, kind = event.get("delta"), event.get("type")
    if kind == "content_block_delta":
        track = ("block", event.get("index"))
        yield from _strings(mapping(delta), ("delta",), track, leave=("type",))
    elif isinstance(delta, str):
        where = (event.get(key) for key in ("output_index", "item_id", "content_index"))
        yield (kind, *map(str, where)), ("delta",)


def _parts(event: dict[str, Any]) -> Iterator[Fragment]:
    """Gemini's texts; its calls come whole."""
    for at, candidate in _listed(event, ("candidates",)):
        content = mapping(candidate.get("content"))
        for path, part in _listed(content, (*at, "content", "parts")):
            if isinstance(part.get("text"), str):
                track = ("part", candidate.get("index"), bool(part.get("thought")))
                yield track, (*path, "text")


def _listed(holder: dict[str, Any], path: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """The objects of a list that an object holds under the last step of a path."""
    items = holder.get(str(path[-1]))
    for index, item in enumerate(items if isinstance(items, list) else ()):
        if isinstance(item, dict):
            yield (*path, index), item


def _strings(
    holder: dict[str, Any], path: Path, track: tuple[Any, ...], leave: tuple[str, ...] = ("name",)
) -> Iterator[Fragment]:
    for key, value in holder.items():
        if isinstance(value, str) and key not in leave:
            yield (*map(str, track), key), (*path, key)


def _get(value: Any, path: Path) -> Any:
    for step in path:
        value = value[step]
    return value


def _put(value: Any, path: Path, part: str) -> None:
    _get(value, path[:-1])[path[-1]] = part
