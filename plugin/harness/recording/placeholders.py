"""What stands where something was masked: of the same type, and where it can be of its shape."""

import re
from collections import OrderedDict
from collections.abc import Callable, Iterator
from hashlib import blake2b
from itertools import chain
from typing import Any

from plugin.harness.recording.sensitive import Kind, Span, iban_remainder, luhn

_REMEMBERED = 10_000
"""Values that keep their number; memory has to stay flat however long a recording runs."""

_LONGEST = 512
"""Masked signs of one value that are looked at one by one where nothing else fits a schema."""

_KEPT_PREFIX = re.compile(
    r"(?:sk-ant-|sk-proj-|sk-or-v1-|sk[-_](?:live_|test_)?|[pr]k_(?:live_|test_)?|gh[opsur]_"
    r"|github_pat_|glpat-|xox[a-z]-|hf_|gpk_|AKIA|ASIA|AIza|npm_|pypi-|xai-|gsk_)"
)
"""How a key of a known kind begins: that tells whose it is, and nothing about it."""

_HEX = frozenset("0123456789abcdefABCDEF")
_FEW_DIGITS = 7


class Numbers:
    """Numbers values in the order in which they are first met: equal ones share a number.

    A number says nothing about its value, as even a digest of a telephone number would.
    """

    def __init__(self) -> None:
        self._known: OrderedDict[bytes, int] = OrderedDict()
        self._last: dict[Kind, int] = {}

    def of(self, kind: Kind, value: str) -> int:
        """The number of a value."""
        key = blake2b(f"{kind} {value}".encode("utf-8", "replace"), digest_size=16).digest()
        number = self._known.pop(key, 0)
        if not number:
            number = self._last[kind] = self._last.get(kind, 0) + 1
        self._known[key] = number
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        return number


class Placeholders:
    """Offers what may stand in the place of a value, the most readable first."""

    def __init__(self, numbers: Numbers) -> None:
        self._numbers = numbers

    def texts(self, text: str, spans: list[Span]) -> Iterator[str]:
        """The text with its spans masked; a schema may refuse one, so there are several."""
        yield _replaced(text, spans, self._readable)
        yield _replaced(text, spans, self._shaped)

    def numbers(self, value: float, kind: Kind) -> Iterator[float]:
        """Numbers in the place of a number: with as many digits, else small ones."""
        number = self._numbers.of(kind, str(value))
        if isinstance(value, int):
            shaped = self._shaped(str(value), kind).lstrip("-")
            yield int(f"1{shaped[1:]}" if shaped.startswith("0") else shaped)
        yield type(value)(number)
        yield type(value)(0)

    def _readable(self, value: str, kind: Kind) -> str:
        number = self._numbers.of(kind, value)
        match kind:
            case Kind.EMAIL:
                return f"user{number}@example.com"
            case Kind.IP:
                return _address(value, number)
            case Kind.SECRET:
                prefix = _KEPT_PREFIX.match(value)
                return f"{prefix[0] if prefix else ''}masked-{number}"
            case _:
                return self._shaped(value, kind)

    def _shaped(self, value: str, kind: Kind) -> str:
        number = self._numbers.of(kind, value)
        match kind:
            case Kind.CARD:
                return _card(value, number)
            case Kind.IBAN:
                return _iban(value, number)
            case Kind.PHONE:
                return _numbered(value, number, keep=2)
            case Kind.EMAIL:
                local, _, domain = value.rpartition("@")
                return f"{_veiled(local, number)}@{_veiled(domain, 0)}"
            case _:
                prefix = _KEPT_PREFIX.match(value)
                kept = prefix.end() if prefix else 0
                return value[:kept] + _veiled(value[kept:], number)


def nearest(text: str, shaped: str, spans: list[Span], fits: Callable[[str], bool]) -> str:
    """The text with as many of the masked signs changed, one by one, as `fits` lets through.

    The last way, for a pattern that knows no other shape. `shaped` is what would be best, as long
    as the text. Equal to `text` where a schema admits nothing but what stands there.
    """
    signs = list(text)
    places = chain.from_iterable(range(span.start, span.end) for span in spans)
    for place, _ in zip(places, range(_LONGEST), strict=False):
        kept = signs[place]
        for other in shaped[place] + _others(kept):
            signs[place] = other
            if fits("".join(signs)):
                break
            signs[place] = kept
    return "".join(signs)


def _others(sign: str) -> str:
    if sign.isdigit():
        return "01" if sign not in "01" else "10".replace(sign, "")
    if sign.isalpha():
        return ("XA" if sign.isupper() else "xa").replace(sign, "")
    return ""


def _replaced(text: str, spans: list[Span], stand_in: Callable[[str, Kind], str]) -> str:
    pieces, at = [], 0
    for span in spans:
        pieces += [text[at : span.start], stand_in(text[span.start : span.end], span.kind)]
        at = span.end
    return "".join([*pieces, text[at:]])


def _veiled(value: str, number: int) -> str:
    """Letters as x (in a hexadecimal value as a), digits as 0; the last signs spell the number."""
    hexadecimal = all(sign in _HEX or not sign.isalnum() for sign in value)
    signs = []
    for sign in reversed(value):
        if sign.isdigit():
            number, place = divmod(number, 10)
            signs.append(str(place))
        elif sign.isalpha():
            first, letters = ("a", 6) if hexadecimal else ("x", 3)
            number, place = divmod(number, letters)
            veiled = chr(ord(first) + place)
            signs.append(veiled.upper() if sign.isupper() else veiled)
        else:
            signs.append(sign)
    return "".join(reversed(signs))


def _numbered(value: str, number: int, keep: int = 0) -> str:
    """The value with other digits: zeros, then the number; the first `keep` of them stay."""
    places = [place for place, sign in enumerate(value) if sign.isdigit()]
    free = places[keep if len(places) > _FEW_DIGITS else 0 :]
    signs = list(value)
    for place, digit in zip(reversed(free), reversed(f"{number:0{len(free)}}"), strict=False):
        signs[place] = digit
    return "".join(signs)


def _card(value: str, number: int) -> str:
    """A number of the same network and length whose checksum fits."""
    places = [place for place, sign in enumerate(value) if sign.isdigit()]
    signs = list(_numbered(value[: places[-1]], number, keep=2) + "0" + value[places[-1] + 1 :])
    digits = "".join(signs[place] for place in places)
    signs[places[-1]] = str(-luhn(digits) % 10)
    return "".join(signs)


def _iban(value: str, number: int) -> str:
    """An account of the same country and length whose checksum fits."""
    body = _numbered(re.sub("[A-Z]", "X", value[4:]), number)
    bare = (value[:2] + "00" + body).replace(" ", "")
    return f"{value[:2]}{98 - iban_remainder(bare):02}{body}"


def _address(value: str, number: int) -> str:
    """An address of those kept for documentation (RFC 5737, RFC 3849)."""
    if ":" in value:
        return f"2001:db8::{number:x}"
    return f"192.0.2.{number % 254 + 1}"


def same_type(one: Any, other: Any) -> bool:
    """Whether two JSON values are of one type; an integer is a number."""
    kinds = [_json_type(value) for value in (one, other)]
    return kinds[0] == kinds[1]


def _json_type(value: Any) -> str:
    match value:
        case bool():
            return "boolean"
        case int() | float():
            return "number"
        case _:
            return type(value).__name__
