"""What a journal holds, and how an entry becomes a line that is whole or is not taken at all.

A line is eight hexadecimal digits (the CRC-32 of the rest without the newline), a space, a JSON
array and a newline. The array begins with its kind and its number: each worker counts its entries,
so that worker and number name a call for good. `["o", number, *Call]` is a call let through,
`["s", number, *Call, *Outcome]` the same one when it ended, `["a", number, *Act]` an act.
"""

import re
from collections.abc import Callable, Iterator
from itertools import product
from operator import itemgetter
from typing import Any, NamedTuple, get_args
from zlib import crc32

import orjson

_MOST = 2**53 - 1  # what JSON numbers are everywhere
_LONGEST_TEXT = 4_096
LONGEST_LINE = 256 * 1024
"""No line is longer, in bytes: what is, is no line."""


class Call(NamedTuple):
    """A call that was let through. `time` is in microseconds since 1970, `reserved` in units."""

    time: int
    request_id: str
    caller_id: str
    caller_name: str
    door: str
    action: str
    """The operation, or the endpoint of the GPT API."""
    model: str | None = None
    reserved: int = 0


class Outcome(NamedTuple):
    """How a call ended, and what it used. `duration` is in microseconds."""

    tokens_in: int = 0
    tokens_out: int = 0
    units: int = 0
    status: int | None = None
    duration: int = 0
    ended: str = "whole"
    answered_by: str | None = None
    detail: str | None = None
    """What the gate decided and why, as JSON."""


class Act(NamedTuple):
    """Something an operator did, or that befell the service, in microseconds since 1970."""

    time: int
    kind: str
    subject: str
    detail: str
    """JSON."""
    by: str


class Opened(NamedTuple):
    """An entry: a call was let through, or is now known better than when it was."""

    number: int
    call: Call


class Settled(NamedTuple):
    """An entry: a call ended. It says everything again, so it can stand alone."""

    number: int
    call: Call
    outcome: Outcome


class Acted(NamedTuple):
    """An entry: an act."""

    number: int
    act: Act


Entry = Opened | Settled | Acted


class Skipped(NamedTuple):
    """Bytes of a journal that are no entry: where, and how many."""

    offset: int
    length: int


class Piece(NamedTuple):
    """What was read of a journal, up to `end`, which is counted from the first byte read."""

    entries: list[Entry]
    skipped: list[Skipped]
    end: int


def line_of(fields: list[Any]) -> bytes:
    """An entry as it is written."""
    try:
        body = orjson.dumps(fields, option=orjson.OPT_STRICT_INTEGER)
    except TypeError:
        body = orjson.dumps([_plain(field) for field in fields])
    if len(body) > _LONGEST_TEXT:
        body = orjson.dumps([_plain(field) for field in fields])
    return b"%08x %b\n" % (crc32(body), body)


def _plain(field: Any) -> Any:
    """What a line can hold of a field, at a length that it can hold."""
    if isinstance(field, int):
        return max(-_MOST, min(_MOST, field))
    if field is None:
        return None
    return str(field)[:_LONGEST_TEXT].encode("utf-8", "replace").decode()


def read_piece(data: bytes, *, last: bool, rows: int) -> Piece:
    """The whole lines of `data`, until `rows` of them have become rows of the ledger.

    With `last` nothing more will come, and a rest without a newline is skipped; else it is left,
    for more of it may come.
    """
    entries: list[Entry] = []
    skipped: list[Skipped] = []
    begin = 0
    while rows > 0 and begin < len(data):
        stop = data.find(b"\n", begin) + 1
        if stop == 0:
            # what is too long for a line is rubbish, but a line may begin near its end
            stop = len(data) if last else len(data) - LONGEST_LINE
            if stop <= begin:
                break
        entry, at = _entry(data[begin:stop])
        if at:
            skip(skipped, begin, at)
        if entry is not None:
            entries.append(entry)
            rows -= not isinstance(entry, Opened)
        begin = stop
    return Piece(entries, skipped, begin)


def skip(skipped: list[Skipped], offset: int, length: int) -> None:
    """Add bytes that are no entry to those found before them."""
    if skipped and sum(skipped[-1]) == offset:
        skipped[-1] = Skipped(skipped[-1].offset, skipped[-1].length + length)
    else:
        skipped.append(Skipped(offset, length))


_BEGIN = re.compile(rb'(?=[0-9a-f]{8} \["[osa]",)')


def _entry(line: bytes) -> tuple[Entry | None, int]:
    """The entry of a line, and how many bytes before it are none."""
    entry = _checked(line)
    if entry is not None:
        return entry, 0
    for at in _begins(line):
        entry = _checked(line[at:])
        if entry is not None:
            return entry, at
    return None, len(line)


def _begins(line: bytes) -> Iterator[int]:
    """Where behind some rubbish an entry may begin; the last ones, for there is one at most."""
    found = [match.start() for match in _BEGIN.finditer(line, 1)]
    yield from reversed(found[-16:])


def _checked(line: bytes) -> Entry | None:
    body = line[9:-1]
    if line[8:9] != b" " or line[-1:] != b"\n" or line[:8] != b"%08x" % crc32(body):
        return None
    try:
        fields = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return _entry_of(fields)


def _entry_of(fields: Any) -> Entry | None:
    if not isinstance(fields, list):
        return None
    numbers_of = _FORMS.get(tuple(map(type, fields)))
    if numbers_of is None or not _hold(numbers_of(fields)):
        return None
    kind, number, *rest = fields
    match kind:
        case "o" if len(rest) == _OF_CALL:
            return Opened(number, Call(*rest))
        case "s" if len(rest) > _OF_CALL:
            return Settled(number, Call(*rest[:_OF_CALL]), Outcome(*rest[_OF_CALL:]))
        case "a" if len(rest) < _OF_CALL:
            return Acted(number, Act(*rest))
    return None


def _hold(numbers: tuple[int, ...]) -> bool:
    return max(numbers) <= _MOST and min(numbers) >= -_MOST


def _forms(*shapes: type) -> Iterator[tuple[tuple[type, ...], Callable[[Any], tuple[int, ...]]]]:
    """Every row of types that an entry may have, and what gives its numbers."""
    of_all = [kind for shape in shapes for kind in shape.__annotations__.values()]
    for form in product((str,), (int,), *(get_args(kind) or (kind,) for kind in of_all)):
        yield form, itemgetter(*(at for at, kind in enumerate(form) if kind is int))


_OF_CALL = len(Call._fields)
_FORMS = dict((*_forms(Call), *_forms(Call, Outcome), *_forms(Act)))
