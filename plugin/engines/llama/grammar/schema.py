"""A JSON Schema as a grammar for the engine: everything bounded, one value and then the end."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from plugin.engines.llama.grammar.lark import TooLarge
from plugin.engines.llama.grammar.schema_form import Form, Oversized
from plugin.engines.llama.grammar.values import Bounds, Writer

WIDE = Bounds(1000, 12, 4, 3, 400)
LADDER = (
    Bounds(400, 12, 5, 2),
    Bounds(200, 8, 4),
    Bounds(120, 6, 3),
    Bounds(80, 5, 3),
    Bounds(60, 4, 2, 1, 30),
    Bounds(40, 3, 2, 1, 20),
    Bounds(24, 2, 2, 0, 20),
    Bounds(12, 1, 1, 0, 10),
    Bounds(12, 1, 8, 0, 10),
)


@dataclass(frozen=True, slots=True)
class Grammar:
    """A grammar as the engine reads it.

    `exact`: what it lets through, once complete, is valid; otherwise it must be checked. `longest`
    is the most bytes, so the most tokens, of a value, `shortest` a value as text.
    """

    text: str
    exact: bool
    longest: int
    shortest: str


class Impossible(ValueError):  # noqa: N818 - it says what the schema is
    """A schema that no value was found for."""


def grammar(form: Form, *, room: int, ladder: Sequence[Bounds] = LADDER) -> Grammar:
    """The grammar of a schema's values, the wider the better that still fit into `room` bytes.

    A schema whose values are longer than `room` in any case is given its narrowest grammar. Raises
    Oversized, Impossible.
    """
    found: Grammar | None = None
    refused: Exception = Impossible("no value fits it")
    rungs = list(ladder[::-1])
    while rungs:
        bounds = rungs.pop()
        try:
            found = _written(form, bounds) or found
        except TooLarge as error:
            refused = Oversized(str(error))
            del rungs[2:]  # only the narrowest can help, and trying takes time
            continue
        if found and found.longest <= room:
            return found
    if found is None:
        raise refused
    return found


def _written(form: Form, bounds: Bounds) -> Grammar | None:
    writer = Writer(form, bounds)
    root = writer.root()
    if root is None:
        return None
    # what no rule has foreseen, such as an enum of nothing, shows in the shortest value
    exact = root.exact and form.validator.is_valid(json.loads(root.shortest))
    return Grammar(writer.text(root), exact, root.longest, root.shortest)
