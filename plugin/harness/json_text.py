"""JSON as recordings hold it: read fast and exactly, so that it can be written again."""

import json
from itertools import chain
from typing import Any, NoReturn

import orjson

_ALL_DIGITS_0 = bytes.maketrans(b"123456789", b"0" * 9)
_LONG_NUMBER = b"0" * 19
"""What could be an integer beyond 64 bits, such as an id: orjson would round it to a float.

Looking for it in translated bytes takes a tenth of the time of a regular expression.
"""

_DEEPEST = 200
"""Levels of nesting that are read; orjson writes 254, and a verdict adds some of its own."""


class NotJson(ValueError):  # noqa: N818 - it says what is wrong
    """Text that is not JSON, or that no usual reader would take; the message says where and why."""


def loads(text: str | bytes) -> Any:
    """The value of a JSON text; integers of any size stay exact.

    Half a surrogate pair, which JSON's grammar allows and UTF-8 cannot hold, is read as U+FFFD.
    Raises NotJson, also for what is nested deeper than 200 levels or too large for a number.
    """
    if isinstance(text, bytes):
        try:
            text = text.decode()
        except UnicodeDecodeError as error:
            raise NotJson(f"byte {error.start} is not UTF-8") from None
    try:
        value = _loads_exactly(text) if _has_long_number(text) else orjson.loads(text)
    except orjson.JSONDecodeError:
        value = _loads_exactly(text)
    # Counting brackets is quick, and nearly always enough.
    if text.count("[") + text.count("{") > _DEEPEST and _depth(value) > _DEEPEST:
        raise NotJson(f"it is nested deeper than {_DEEPEST} levels")
    return value


def dumps(value: Any) -> bytes:
    """A value that `loads` gave, or that holds such ones, as one line of JSON."""
    try:
        return orjson.dumps(value)
    except TypeError:  # an integer beyond 64 bits
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _has_long_number(text: str) -> bool:
    return _LONG_NUMBER in text.encode("utf-8", "replace").translate(_ALL_DIGITS_0)


def _loads_exactly(text: str) -> Any:
    try:
        value = json.loads(text, parse_float=_float, parse_constant=_refuse_constant)
    except RecursionError:
        raise NotJson(f"it is nested deeper than {_DEEPEST} levels") from None
    except json.JSONDecodeError as error:
        around = text[max(0, error.pos - 20) : error.pos + 20]
        raise NotJson(f"{error.msg} at character {error.pos}, near {around!a}") from None
    except ValueError as error:  # an integer of thousands of digits
        raise NotJson(str(error)) from None
    return _without_half_pairs(value) if "\\u" in text or not text.isascii() else value


def _float(digits: str) -> float:
    number = float(digits)
    if abs(number) == float("inf"):
        raise NotJson(f"{digits} is beyond the range of numbers")
    return number


def _refuse_constant(name: str) -> NoReturn:
    raise NotJson(f"{name} is no JSON value")


def _without_half_pairs(value: Any) -> Any:
    written = json.dumps(value, ensure_ascii=False).encode("utf-16-le", "surrogatepass")
    return json.loads(written.decode("utf-16-le", "replace"))


def _depth(value: Any) -> int:
    depth, level = 0, [value]
    while level:
        depth += 1
        lists = (item for item in level if isinstance(item, list))
        objects = (item.values() for item in level if isinstance(item, dict))
        level = list(chain.from_iterable(chain(lists, objects)))
    return depth


def canonical(value: Any) -> bytes:
    """JSON in which equal values are equal bytes: keys sorted, 3.0 as 3. For `loads`' values."""
    return dumps(_sorted(value))


def _sorted(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [_sorted(item) for item in value]
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return value
