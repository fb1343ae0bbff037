"""Lists and objects as a grammar, made of the parts of what they hold.

`rule` makes a part a rule of its own, where it is written more than once.
"""

from collections.abc import Callable, Collection, Mapping, Sequence

from plugin.engines.llama.grammar.lark import (
    EMPTY,
    Part,
    choice,
    enclosed,
    literal,
    repeated,
    sequence,
    with_commas,
)

Rule = Callable[[Part], Part]


def closed_list(parts: Sequence[Part], least: int) -> Part | None:
    """A list that has nothing but these; None where it needs more."""
    if len(parts) < least:
        return None
    return enclosed("[", with_commas(parts), "]") if parts else literal("[]")


def open_list(leading: Sequence[Part], item: Part, least: int, most: int, rule: Rule) -> Part:
    """A list of `leading`, and then of `item`: of `least` to `most` in all."""
    if not leading:
        return enclosed("[", [several(item, least, most, rule)], "]")
    tail = rule(sequence([literal(","), item]))
    rest = repeated(tail, max(least - len(leading), 0), max(most - len(leading), 0))
    return enclosed("[", [*with_commas(leading), rest], "]")


def several(item: Part, least: int, most: int, rule: Rule) -> Part:
    """Items with commas between them."""
    if most < 1:
        return EMPTY
    item = rule(item)
    tail = rule(sequence([literal(","), item]))
    found = sequence([item, repeated(tail, max(least - 1, 0), most - 1)])
    return found if least else repeated(rule(found), 0, 1)


def ordered(members: Mapping[str, Part], required: Collection[str], rule: Rule) -> Part:
    """An object of these members in their order, those that are not required or not.

    Written from the end: `after` is what follows a member, `front` what may come first.
    """
    after, front = EMPTY, EMPTY
    for name, part in reversed(list(members.items())):
        following = sequence([literal(","), part, after])
        alone = sequence([part, after])
        if name in required:
            after, front = rule(following), rule(alone)
        else:
            after = rule(choice([following, after]))
            front = rule(choice([alone, front]))
    return enclosed("{", [front], "}")
