"""The engine's grammar language (Lark, as LLGuidance reads it): parts of a grammar, and its rules.

Every rule is a terminal, so the whole grammar is one regular expression. LLGuidance matches it by
derivatives: an ambiguous expression costs no more than another of its size. The runtime's own
language (GBNF) follows every way to read a text, and their number grows exponentially.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

_HEAD = "%llguidance {}"
_MAX_REPEAT = 2000
"""Elements that one repetition may have."""

_LONGEST = 20_000


class TooLarge(ValueError):  # noqa: N818 - it says what the schema is
    """A schema whose grammar would cost the engine too much; the message says what is too large."""


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a grammar that stands for itself in a sequence.

    `longest` is the most bytes that it lets through, so the most tokens, too, and `shortest` the
    shortest text. `exact` says that whatever it lets through is valid by the schema that it was
    written for. `cost` counts the elements that the engine makes of it.
    """

    text: str
    longest: int
    shortest: str
    exact: bool = True
    cost: int = 1


EMPTY = Part('""', 0, "")


def quoted(text: str) -> str:
    """Text as a literal of the grammar."""
    return json.dumps(text, ensure_ascii=False)


def literal(text: str) -> Part:
    """A part that lets through exactly `text`."""
    return Part(quoted(text), len(text.encode()), text, cost=max(len(text), 1))


def sequence(parts: Sequence[Part]) -> Part:
    """One part after the other."""
    if len(parts) == 1:
        return parts[0]
    if sum(len(part.shortest) for part in parts) > _LONGEST:
        raise TooLarge(f"its smallest value has more than {_LONGEST:,} characters")
    text = " ".join(part.text for part in parts)
    return Part(
        f"({text})",
        sum(part.longest for part in parts),
        "".join(part.shortest for part in parts),
        all(part.exact for part in parts),
        sum(part.cost for part in parts),
    )


def choice(parts: Iterable[Part]) -> Part:
    """Any one of the parts, which are not none."""
    different = list({part.text: part for part in parts}.values())
    if len(different) == 1:
        return different[0]
    text = " | ".join(part.text for part in different)
    return Part(
        f"({text})",
        max(part.longest for part in different),
        min((part.shortest for part in different), key=len),
        all(part.exact for part in different),
        sum(part.cost for part in different),
    )


def repeated(part: Part, least: int, most: int) -> Part:
    """A part that comes `least` to `most` times. Raises TooLarge."""
    if most == 0:
        return EMPTY
    if part.cost * most > _MAX_REPEAT:
        raise TooLarge(f"it repeats a part {most} times; {_MAX_REPEAT} elements can be written")
    if (least, most) == (1, 1):
        return part
    grouped = f"({part.text})" if part.text[-1] in "?}" else part.text
    if (least, most) == (0, 1):
        return replace(part, text=f"{grouped}?", shortest="", cost=part.cost + 1)
    return Part(
        f"{grouped}{{{least},{most}}}",
        part.longest * most,
        part.shortest * least,
        part.exact,
        part.cost * most,
    )


def one_of(texts: Iterable[str]) -> Part:
    """Exactly one of these texts; what they begin with alike is written once."""
    by_first: dict[str, list[str]] = {}
    for text in dict.fromkeys(texts):
        by_first.setdefault(text[:1], []).append(text)
    parts = []
    for first, group in by_first.items():
        shared = _shared(min(group), max(group))
        if len(group) == 1 or not first:
            parts.append(literal(group[0]))
        else:
            parts.append(sequence([literal(shared), one_of(text[len(shared) :] for text in group)]))
    return choice(parts)


def with_commas(parts: Sequence[Part]) -> list[Part]:
    """The parts with a comma between each two."""
    return [piece for part in parts for piece in (literal(","), part)][1:]


def enclosed(opening: str, parts: Sequence[Part], closing: str) -> Part:
    """The parts between two brackets."""
    return sequence([literal(opening), *parts, literal(closing)])


class Rules:
    """The rules of one grammar; what is written twice is one rule."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self.cost = 0
        self.size = 0

    def add(self, part: Part) -> Part:
        """The part as a rule of its own: a name to put in its place."""
        if len(part.text) <= len("R00"):
            return part
        name = self._names.get(part.text)
        if name is None:
            name = self._names[part.text] = f"R{len(self._names)}"
            self.cost += part.cost
            self.size += len(part.text)
        return replace(part, text=name, cost=1)

    def text(self, root: Part) -> str:
        """The whole grammar."""
        rules = (f"{name}: {text}" for text, name in self._names.items())
        return "\n".join([_HEAD, "start: ROOT", f"ROOT: {root.text}", *rules])


def characters(spans: Sequence[tuple[int, int]]) -> Part:
    """One character of these code points, both ends included."""
    if len(spans) == 1 and spans[0][0] == spans[0][1]:
        return literal(chr(spans[0][0]))
    inner = "".join(
        _in_class(low) if low == high else f"{_in_class(low)}-{_in_class(high)}"
        for low, high in spans
    )
    last = max(high for _low, high in spans)
    return Part(f"/[{inner}]/", len(chr(last).encode()), chr(spans[0][0]))


def _shared(first: str, last: str) -> str:
    """What two texts begin with alike, and so every text between them."""
    length = 0
    for one, other in zip(first, last, strict=False):
        if one != other:
            break
        length += 1
    return first[:length]


def _in_class(code: int) -> str:
    char = chr(code)
    return char if char.isascii() and char.isalnum() else f"\\x{{{code:X}}}"
