"""One mistake made in one call, and what makes it: the vocabulary of this package."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from random import Random
from typing import Any, Literal

from plugin.contract.pointer import MISSING
from plugin.harness.edits import Path
from plugin.harness.faults import FaultKind
from plugin.harness.sites import Schemas, Site
from plugin.messages import Call

Undo = Literal["lossless", "lenient", ""]
"""The repairs (see `repair`) that give back exactly the call as it was; none for most mistakes."""


@dataclass(frozen=True)
class Good:
    """A call that fits its tool: what a mistake is made in.

    `names` are those of all tools, None where others may be known. `strict` says that the tool was
    shown in strict form, where null means "left out".
    """

    call: Call
    arguments: dict[str, Any]
    sites: list[Site]
    names: Mapping[str, Any] | None
    strict: bool = False

    @property
    def root(self) -> Site:
        """The whole arguments."""
        return self.sites[0]

    @cached_property
    def objects(self) -> list[Site]:
        """The places where an object stands."""
        return [site for site in self.sites if isinstance(site.value, dict)]


@dataclass(frozen=True, slots=True)
class Slip:
    """A mistake: the arguments as they are now, and where which fault is to be found.

    `arguments` are values, or text where they are no JSON any more. `name` and `times` differ from
    the call's where the mistake is in them. `schemas` speak of the place; `meant` is what was right
    there, a value or a key, or MISSING.
    """

    variety: str
    expect: FaultKind
    path: Path
    arguments: Any
    undo: Undo = ""
    schemas: Schemas = ()
    meant: Any = MISSING
    name: str = ""
    times: int = 1


Mistake = Callable[[Good, Random], Slip | None]
"""Makes one mistake somewhere in a call; None where the call has no place for it."""


def starting_anywhere(items: list[Any], random: Random) -> list[Any]:
    """The items, beginning with a random one: the first that will do is taken."""
    if len(items) < 2:  # noqa: PLR2004 - nothing to choose
        return items
    start = int(random.random() * len(items))
    return items[start:] + items[:start]
