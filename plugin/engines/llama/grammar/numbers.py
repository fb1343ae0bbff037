"""Numbers between two bounds, as a grammar."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from plugin.engines.llama.grammar.lark import Part, characters, choice, literal, repeated, sequence

_DIGITS = 15
"""Digits of a whole number without a bound: what a double holds."""

_FRACTION = 6
_LISTED = 200
"""Multiples that are written out one by one."""

_FURTHEST = 10**_DIGITS - 1
_DIGIT = characters([(0x30, 0x39)])
_NOT_ZERO = characters([(0x31, 0x39)])


def integer(schema: Mapping[str, Any]) -> Part | None:
    """Whole numbers that the bounds of a schema allow; None if there are none."""
    low, high = _whole_bounds(schema)
    if low > high:
        return None
    step = schema.get("multipleOf")
    if step is None or (isinstance(step, int | float) and step == 1):
        return _between(low, high)
    return _multiples(low, high, step)


def number(schema: Mapping[str, Any]) -> Part | None:
    """Numbers that the bounds of a schema allow, without an exponent; None if none is found."""
    if "multipleOf" in schema:
        whole = integer(schema)
        return whole or _listed(schema)
    low, high = _real_bounds(schema)
    parts = [whole] if (whole := integer(schema)) else []
    first, last = math.ceil(max(low, 0)), math.floor(min(high, _FURTHEST + 1)) - 1
    if first <= last:
        parts.append(_with_fraction(first, last, strict="exclusiveMinimum" in schema))
    first, last = math.ceil(max(-high, 0)), math.floor(min(-low, _FURTHEST + 1)) - 1
    if first <= last:
        fractions = _with_fraction(first, last, strict="exclusiveMaximum" in schema)
        parts.append(sequence([literal("-"), fractions]))
    return choice(parts) if parts else _listed(schema)


def _whole_bounds(schema: Mapping[str, Any]) -> tuple[int, int]:
    low, high = _real_bounds(schema)
    least = -_FURTHEST if low == -math.inf else math.ceil(low)
    most = _FURTHEST if high == math.inf else math.floor(high)
    if least == schema.get("exclusiveMinimum"):
        least += 1
    if most == schema.get("exclusiveMaximum"):
        most -= 1
    if high == math.inf:
        most = max(most, least + _FURTHEST)
    if low == -math.inf:
        least = min(least, most - _FURTHEST)
    return least, most


def _real_bounds(schema: Mapping[str, Any]) -> tuple[float, float]:
    lows = (schema.get("minimum", -math.inf), schema.get("exclusiveMinimum", -math.inf))
    highs = (schema.get("maximum", math.inf), schema.get("exclusiveMaximum", math.inf))
    return max(lows), min(highs)


def _multiples(low: int, high: int, step: float) -> Part | None:
    """Multiples are listed where they are few; otherwise the result has to be checked."""
    if step != int(step):
        return replace(_between(low, high), exact=False)
    step = int(step)
    first, last = -(-low // step), high // step
    if first > last:
        return None
    if last - first < _LISTED:
        return choice(literal(str(value * step)) for value in range(first, last + 1))
    power = len(str(step)) - 1
    if step == 10**power:
        return _tens(first, last, power)
    return replace(_between(low, high), exact=False)


def _tens(first: int, last: int, power: int) -> Part:
    zeros = literal("0" * power)
    parts = [literal("0")] if first <= 0 <= last else []
    if last > 0:
        parts.append(sequence([_between(max(first, 1), last), zeros]))
    if first < 0:
        parts.append(sequence([_between(first, min(last, -1)), zeros]))
    return choice(parts)


def _listed(schema: Mapping[str, Any]) -> Part | None:
    """A few numbers inside narrow bounds, as text of few digits; always to be checked."""
    low, high = _real_bounds(schema)
    if low > high or low == -math.inf or high == math.inf:
        return None
    step = schema.get("multipleOf") or (high - low) / 20 or 1
    first = math.ceil(low / step)
    values = [first * step + step * index for index in range(21)]
    texts = {f"{value:.10g}" for value in values if low <= value <= high}
    plain = sorted(text for text in texts if "e" not in text)
    if not plain:
        return None
    return replace(choice(map(literal, plain)), exact=False)


def _with_fraction(first: int, last: int, *, strict: bool) -> Part:
    """`first` to `last` and something after the point; `strict`: not `first` point zero."""
    if not strict:
        return sequence([_between(first, last), literal("."), repeated(_DIGIT, 1, _FRACTION)])
    tail = sequence([literal("."), repeated(_DIGIT, 0, _FRACTION - 1), _NOT_ZERO])
    parts = [sequence([literal(str(first)), tail])]
    if first < last:
        parts.append(_with_fraction(first + 1, last, strict=False))
    return choice(parts)


def _between(low: int, high: int) -> Part:
    """The whole numbers from `low` to `high`."""
    parts = []
    if low < 0:
        beneath = choice(_same_lengths(max(1, -high), -low))
        parts.append(sequence([literal("-"), beneath]))
    if high >= 0:
        parts += _same_lengths(max(low, 0), high)
    return choice(parts)


def _same_lengths(low: int, high: int) -> Iterator[Part]:
    """The numbers from `low` to `high`, which are not negative, by their count of digits."""
    if low <= 1 and high == 10 ** len(str(high)) - 1:
        if not low:
            yield literal("0")
        yield sequence([_NOT_ZERO, repeated(_DIGIT, 0, len(str(high)) - 1)])
        return
    for length in range(len(str(low)), len(str(high)) + 1):
        first = max(low, 10 ** (length - 1) if length > 1 else 0)
        yield _digits(str(first), str(min(high, 10**length - 1)))


def _digits(low: str, high: str) -> Part:
    """Numbers of one length: alike at the front, then free, then bounded by either."""
    if low == high:
        return literal(low)
    length = len(low)
    if set(low) <= {"0"} and set(high) <= {"9"}:
        return repeated(_DIGIT, length, length)
    if length == 1:
        return _digit(low, high)
    if low[0] == high[0]:
        return sequence([literal(low[0]), _digits(low[1:], high[1:])])
    parts = []
    first, last = int(low[0]), int(high[0])
    if set(low[1:]) != {"0"}:
        parts.append(sequence([literal(low[0]), _digits(low[1:], "9" * (length - 1))]))
        first += 1
    if set(high[1:]) != {"9"}:
        parts.append(sequence([literal(high[0]), _digits("0" * (length - 1), high[1:])]))
        last -= 1
    if first <= last:
        free = repeated(_DIGIT, length - 1, length - 1)
        parts.append(sequence([_digit(str(first), str(last)), free]))
    return choice(parts)


def _digit(low: str, high: str) -> Part:
    return characters([(ord(low), ord(high))])
