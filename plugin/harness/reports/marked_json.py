"""A JSON value as lines for people, with the places marked that something is said of."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from plugin.contract.pointer import child, steps
from plugin.harness.json_text import dumps

Mark = Literal["", "wrong", "missing", "left_out"]
"""`missing`: the line stands for a key that is not there. `left_out`: for lines not shown."""

_LONGEST_TEXT = 240
_MOST_LINES = 200
"""Lines of one value; what leads to a mark is printed beyond that."""

_MOST_ON_A_LINE = 12
_LONGEST_ON_A_LINE = 60


@dataclass(frozen=True, slots=True)
class Line:
    """One printed line, indented."""

    text: str
    mark: Mark = ""


def print_marked(value: Any, places: Collection[str], most: int = _MOST_LINES) -> list[Line]:
    """The lines of a value. `places` are JSON pointers; one that leads nowhere marks a missing key.

    Long texts are shortened, and long values too, but never a marked line.
    """
    printer = _Printer(frozenset(places), most)
    return list(printer.lines(value, "", "", ""))


class _Printer:
    def __init__(self, places: frozenset[str], most: int) -> None:
        self._places = places
        self._left = most
        self._on_the_way = {
            "".join(child("", step) for step in path[:length])
            for path in map(steps, places)
            for length in range(len(path) + 1)
        }

    def lines(self, value: Any, at: str, indent: str, key: str, comma: str = "") -> Iterator[Line]:
        self._left -= 1
        missing = self._missing(value, at)
        start = f"{indent}{key}"
        short = None if missing else self._short(value, at)
        if short is not None:
            yield Line(f"{start}{short}{comma}", self._mark(value, at))
            return
        mark: Mark = "wrong" if at in self._places else ""
        opening, closing = "{}" if isinstance(value, dict) else "[]"
        yield Line(f"{start}{opening}", mark)
        for line in self._inside(value, at, f"{indent}  "):
            yield Line(line.text, line.mark or mark)
        for name in missing:
            yield Line(f"{indent}  {_scalar(name)}: …", "missing")
        yield Line(f"{indent}{closing}{comma}", mark)

    def _inside(self, value: Any, at: str, indent: str) -> Iterator[Line]:
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        left_out, last = 0, len(value) - 1
        for index, (key, part) in enumerate(pairs):
            place = child(at, key)
            if self._left <= 0 and place not in self._on_the_way:
                left_out += 1
                continue
            name = f"{_scalar(key)}: " if isinstance(value, dict) else ""
            yield from self.lines(part, place, indent, name, "," if index < last else "")
        if left_out:
            yield Line(f"{indent}… {left_out:,} more", "left_out")

    def _short(self, value: Any, at: str) -> str | None:
        """The value on one line, None where it needs several, or where a part of it is marked."""
        if not isinstance(value, dict | list) or not value:
            return _scalar(value)
        if (at == "" and self._places) or len(value) > _MOST_ON_A_LINE:
            return None
        if isinstance(value, dict):
            if at in self._on_the_way and at not in self._places:
                return None
            parts = [(f"{_scalar(key)}: ", part) for key, part in value.items()]
        else:
            parts = [("", part) for part in value]
        if any(isinstance(part, dict | list) for _, part in parts):
            return None
        opening, closing = "{}" if isinstance(value, dict) else "[]"
        short = opening + ", ".join(f"{key}{_scalar(part)}" for key, part in parts) + closing
        return short if len(short) <= _LONGEST_ON_A_LINE else None

    def _mark(self, value: Any, at: str) -> Mark:
        """A line that holds a marked item is marked whole."""
        inside = isinstance(value, list) and at in self._on_the_way
        return "wrong" if inside or at in self._places else ""

    def _missing(self, value: Any, at: str) -> list[str]:
        if not isinstance(value, dict):
            return []
        found = [steps(place) for place in sorted(self._places) if place.startswith(f"{at}/")]
        depth = len(steps(at)) + 1
        return [path[-1] for path in found if len(path) == depth and path[-1] not in value]


def _scalar(value: Any) -> str:
    if isinstance(value, str) and len(value) > _LONGEST_TEXT:
        more = len(value) - _LONGEST_TEXT
        value = f"{value[:_LONGEST_TEXT]}… ({more:,} more characters)"
    try:
        return dumps(value).decode()
    except (TypeError, ValueError):  # half a surrogate pair
        return ascii(value)
