"""What limits are counted in: values that cross between the gate and wherever the counts lie.

Three kinds of count. A *window* lets at most `cap` pass in any stretch of `period` seconds. A
*running* count is of what is under way. A *budget* is used up for good: what a call may cost at
most is reserved when it comes, and what it did cost is settled when it ends.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, NamedTuple, Protocol

Kind = Literal["window", "running", "budget"]

FAILURES = (OSError, OverflowError)
"""What is raised where counts cannot be reached, or a new one has no room; nothing was done then.
"""

MOST = 2**32 - 1
"""The greatest cap of a window, and what one of its buckets can hold."""


class Take(NamedTuple):
    """What one call takes of one count. `period` is in seconds, of a window."""

    name: str
    kind: Kind
    cap: int
    cost: int = 1
    period: float = 0.0


class Level(NamedTuple):
    """Where a count stands: what is left of `cap`, and in how many seconds all of it is free again.

    A running count or a budget has no such time: 0.
    """

    left: int
    reset: float = 0.0


level_of: Callable[[tuple[int, float]], Level] = partial(tuple.__new__, Level)
"""A level from its two values: the same as `Level`, in a third of the time."""


class Taken(NamedTuple):
    """A call that was let through: what it took, where each count stands now, and where it lies.

    Nobody but the counters reads the last.
    """

    takes: Sequence[Take]
    levels: Sequence[Level]
    held: Sequence[Any]


NOTHING_TAKEN = Taken((), (), ())
"""What a call holds that meets no limit."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Nothing was taken: the first count that is exhausted, where it stands, when to come again.

    `retry` is in seconds; None where waiting does not help (a budget) or nobody can tell.
    """

    take: Take
    level: Level
    retry: float | None


class Counters(Protocol):
    """Counts that all workers share. Each method is atomic, and does not wait for anybody's I/O."""

    def take(self, takes: Sequence[Take]) -> Taken | Refusal:
        """Take all of `takes`, or none."""

    def settle(self, taken: Taken, actual: Sequence[int]) -> None:
        """End a call: each count in turn gets what was really used.

        Running counts go down; a budget is charged; a window forgets what was taken too much.
        """

    def level(self, take: Take) -> Level:
        """Where a count stands, without taking."""

    def now(self) -> float:
        """Seconds by a clock that never jumps, the same for all workers; it knows no date."""
