"""Sums of the ledger as `plugin usage` shows them, for the table, the chart, JSON and CSV."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from plugin.ledger.reader import Balance

MEASURES = ("calls", "tokens_in", "tokens_out", "units")

FORM = {False: "%Y-%m-%d", True: "%Y-%m"}


class Measure(Enum):
    """What the bars show."""

    calls = "calls"
    tokens = "tokens"
    units = "units"


@dataclass(frozen=True, slots=True)
class Line:
    """What was used in a period, of one group; `groups` are in the order asked for."""

    period: str
    groups: tuple[str, ...]
    calls: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    units: int = 0

    @property
    def tokens(self) -> int:
        """In and out."""
        return self.tokens_in + self.tokens_out


@dataclass(frozen=True, slots=True)
class Usage:
    """What a command was asked for, and what there is."""

    first: date
    last: date
    monthly: bool
    by: Sequence[str]
    lines: Sequence[Line]
    ids: Mapping[str, str] = field(default_factory=dict)
    """Of callers, by what they are called."""

    @property
    def total(self) -> Line:
        """All of it."""
        return summed("total", (), self.lines)

    @property
    def periods(self) -> list[str]:
        """Each day or month from the first one that was used, those without a call as well."""
        if not self.lines:
            return []
        count = (self.last - self.first).days + 1
        days = (self.first + timedelta(days=number) for number in range(count))
        named = dict.fromkeys(day.strftime(FORM[self.monthly]) for day in days)
        return [period for period in named if period >= self.lines[0].period]


def summed(period: str, groups: tuple[str, ...], part: "Sequence[Balance | Line]") -> Line:
    """Return the sum of balances or lines as one line."""
    sums = (sum(getattr(one, measure) for one in part) for measure in MEASURES)
    return Line(period, groups, *sums)
