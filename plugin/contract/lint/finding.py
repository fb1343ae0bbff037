"""What lint finds, and the rules that find it: each stands on a limit or a demand of a door."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Generic, NamedTuple, TypeVar

from plugin.contract.targets import Demand, Limit

Subject = TypeVar("Subject")


class Level(StrEnum):
    """How bad it is."""

    ERROR = "error"
    """The door refuses it, or an operation is lost there."""

    WARNING = "warning"
    """It works with a loss, or somewhere else it will not."""

    NOTE = "note"
    """Worth knowing."""


class Hit(NamedTuple):
    """One place where a rule speaks. `found` stands against the rule's limit."""

    pointer: str
    message: str
    found: Any = None


@dataclass(frozen=True, slots=True)
class Rule(Generic[Subject]):
    """A rule: its name, how bad it is, at which doors it holds, on what it stands, its check."""

    name: str
    level: Level
    targets: frozenset[str]
    stands_on: Limit | Demand
    check: Callable[[Subject], Iterator[Hit]]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a door demands and does not get; the pointer leads into the document.

    `limit` is a number, or in words what is allowed; `as_of` the day its source was last read.
    """

    level: Level
    rule: str
    pointer: str
    message: str
    limit: int | str
    found: Any
    source: str
    as_of: str


def find(rules: Iterable[Rule[Subject]], subject: Subject, target: str) -> Iterator[Finding]:
    """What the rules of a door say of a subject."""
    for rule in rules:
        if target not in rule.targets:
            continue
        on = rule.stands_on
        limit = on.number if isinstance(on, Limit) else on.words
        for hit in rule.check(subject):
            where = (rule.level, rule.name, hit.pointer, hit.message)
            yield Finding(*where, limit, hit.found, on.source, on.as_of.isoformat())
