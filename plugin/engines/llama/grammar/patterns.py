"""Regular expressions of schemas as a grammar of the text between a JSON string's quotes.

What is written is a subset of what the expression finds, anchored at both ends. Look-around is left
out, and then the result has to be checked; expressions with back references or Unicode properties
are not written at all.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from plugin.engines.llama.grammar.lark import (
    EMPTY,
    Part,
    TooLarge,
    characters,
    choice,
    literal,
    repeated,
    sequence,
)

Spans = list[tuple[int, int]]

_LAST = 0x10FFFF
_DIGIT: Spans = [(0x30, 0x39)]
_WORD: Spans = [(0x30, 0x39), (0x41, 0x5A), (0x5F, 0x5F), (0x61, 0x7A)]
_SPACE: Spans = [(0x20, 0x20)]
"""Other white space is white space, too, but nothing that a model should write into an argument."""
_ANY_SPACE: Spans = [(0x09, 0x0D), (0x20, 0x20), (0xA0, 0xA0), (0x2000, 0x200A), (0x3000, 0x3000)]
_ASCII: Spans = [(0x20, 0x7E)]
_PRINTABLE: Spans = [*_ASCII, (0xA1, 0x2027), (0x202A, 0xD7FF), (0xE000, _LAST)]
_CLASSES = {"d": _DIGIT, "w": _WORD, "s": _SPACE}
_SIGNS = {"n": 10, "r": 13, "t": 9, "f": 12, "v": 11, "0": 0}
_CODES = {"x": 2, "u": 4}
_QUOTE, _BACKSLASH, _CONTROL = 0x22, 0x5C, 0x20
_AROUND = ("?=", "?!", "?<=", "?<!")
_DEEPEST = 20
_LONGEST_PATTERN = 1000


class Unwritable(ValueError):  # noqa: N818 - it says what the expression is
    """A regular expression that no grammar is written for."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A part with the fewest and most characters that it lets through."""

    part: Part
    least: int
    most: int


def pattern(expression: str, most: int) -> Piece:
    """What `expression` finds, with at most about `most` repetitions of a part.

    Raises Unwritable.
    """
    if len(expression) > _LONGEST_PATTERN:
        raise Unwritable("too long")
    reader = _Reader(expression, most)
    try:
        found = reader.alternatives(0)
    except TooLarge as error:
        raise Unwritable(str(error)) from None
    if reader.rest:
        raise Unwritable("an unmatched bracket")
    if not reader.exact:
        return replace(found, part=replace(found.part, exact=False))
    return found


class _Reader:
    def __init__(self, expression: str, most: int) -> None:
        self.rest = expression
        self.exact = True
        self._most = most

    def alternatives(self, depth: int) -> Piece:
        if depth > _DEEPEST:
            raise Unwritable("nested too deep")
        branches = [self._run(depth)]
        while self._took("|"):
            branches.append(self._run(depth))
        return Piece(
            choice(branch.part for branch in branches),
            min(branch.least for branch in branches),
            max(branch.most for branch in branches),
        )

    def _run(self, depth: int) -> Piece:
        pieces: list[Piece] = []
        if not depth:
            self._took("^")
        while self.rest and self.rest[0] not in "|)":
            if self.rest[0] in "^$":
                self._end(depth)
            else:
                pieces.append(self._counted(self._atom(depth)))
        return _joined(pieces)

    def _end(self, depth: int) -> None:
        """The anchor at the end of a branch; anywhere else an anchor means something subtle."""
        if depth or not self._took("$") or self.rest[:1] not in ("|", ""):
            raise Unwritable("an anchor inside")

    def _counted(self, atom: Piece) -> Piece:
        least, most = self._count()
        if most < least:
            raise Unwritable("a count that ends before it begins")
        self._took("?")  # lazy or not, the same texts are found
        part = repeated(atom.part, least, most)
        return Piece(part, atom.least * least, atom.most * most)

    def _count(self) -> tuple[int, int]:
        for sign, least in (("*", 0), ("+", 1)):
            if self._took(sign):
                return least, max(self._most, least)
        if self._took("?"):
            return 0, 1
        if self.rest.startswith("{"):
            inner, closed, rest = self.rest[1:].partition("}")
            low, comma, high = inner.partition(",")
            if closed and low.isdecimal() and (high.isdecimal() or not high):
                self.rest = rest
                least = int(low)
                if not comma:
                    return least, least
                return least, int(high) if high else least + self._most
        return 1, 1

    def _atom(self, depth: int) -> Piece:
        if self._took("("):
            return self._group(depth)
        if self._took("["):
            return self._set()
        if self._took("."):
            return _spans(_PRINTABLE)
        if self.rest[0] in "*+?":
            raise Unwritable("a count of nothing")
        if self._took("\\"):
            return _spans(self._escape(in_set=False))
        return _spans([_one(self._next())])

    def _group(self, depth: int) -> Piece:
        around = any(self._took(sign) for sign in _AROUND)
        if not around and self._took("?") and not self._took(":"):
            if not self._took("<"):
                raise Unwritable("a group with options")
            self.rest = self.rest.partition(">")[2]
        found = self.alternatives(depth + 1)
        if not self._took(")"):
            raise Unwritable("an unmatched bracket")
        if not around:
            return found
        self.exact = False
        return Piece(EMPTY, 0, 0)

    def _set(self) -> Piece:
        negated = self._took("^")
        if self.rest[:1] == "]":
            raise Unwritable("an empty set, which engines read differently")
        spans: Spans = []
        while not self._took("]"):
            spans += self._span()
        if not negated:
            return _spans(spans)
        # What `\w` leaves over beyond ASCII is read differently, too.
        plain = all(low == high or (low, high) not in _WORD for low, high in spans)
        return _spans(_without(_PRINTABLE if plain else _ASCII, spans))

    def _span(self) -> Spans:
        """A member of a set, or from one to another."""
        if self.rest[:1] == "[" or self.rest[:2] in ("&&", "--", "~~"):
            raise Unwritable("a set operation of some engines")
        low = self._member()
        if not self.rest.startswith("-") or self.rest[1:2] in ("]", "") or len(low) > 1:
            return low
        self._took("-")
        high = self._member()
        if len(high) > 1 or low[0][0] > high[0][0] or low[0][0] != low[0][1]:
            raise Unwritable("a range that is none")
        return [(low[0][0], high[0][0])]

    def _member(self) -> Spans:
        if self._took("\\"):
            return self._escape(in_set=True)
        return [_one(self._next())]

    def _escape(self, *, in_set: bool) -> Spans:
        letter = self._next()
        if letter.lower() in _CLASSES:
            known = _CLASSES[letter.lower()]
            if letter.islower():
                return known
            return _without(_ASCII, _ANY_SPACE if letter == "S" else known)
        if letter in _SIGNS:
            return [(_SIGNS[letter],) * 2]
        if letter in _CODES:
            digits, self.rest = self.rest[: _CODES[letter]], self.rest[_CODES[letter] :]
            return [(_code(digits),) * 2]
        if letter == "b" and in_set:
            return [(8, 8)]
        if letter.isalnum():
            raise Unwritable(f"\\{letter}")
        return [_one(letter)]

    def _next(self) -> str:
        if not self.rest:
            raise Unwritable("an end too early")
        char, self.rest = self.rest[0], self.rest[1:]
        return char

    def _took(self, sign: str) -> bool:
        if self.rest.startswith(sign):
            self.rest = self.rest[len(sign) :]
            return True
        return False


def _joined(pieces: Sequence[Piece]) -> Piece:
    if not pieces:
        return Piece(EMPTY, 0, 0)
    return Piece(
        sequence([piece.part for piece in pieces]),
        sum(piece.least for piece in pieces),
        sum(piece.most for piece in pieces),
    )


def _spans(spans: Spans) -> Piece:
    """One character of these, as JSON writes it in a string."""
    plain = _without(spans, [(0, _CONTROL - 1), (_QUOTE, _QUOTE), (_BACKSLASH, _BACKSLASH)])
    plain = _without(plain, [(0xD800, 0xDFFF)])
    parts = [characters(plain)] if plain else []
    for code, written in ((_QUOTE, '\\"'), (_BACKSLASH, "\\\\"), (10, "\\n"), (9, "\\t")):
        if any(low <= code <= high for low, high in spans):
            parts.append(literal(written))
    if not parts:
        raise Unwritable("a character that text does not have")
    return Piece(choice(parts), 1, 1)


def _without(spans: Spans, taken: Spans) -> Spans:
    for low, high in taken:
        spans = [
            part
            for first, last in spans
            for part in ((first, min(last, low - 1)), (max(first, high + 1), last))
            if part[0] <= part[1]
        ]
    return spans


def _one(char: str) -> tuple[int, int]:
    return ord(char), ord(char)


def _code(digits: str) -> int:
    try:
        return int(digits, 16)
    except ValueError:
        raise Unwritable("a code that is none") from None
