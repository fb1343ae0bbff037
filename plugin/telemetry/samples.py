"""The figures of one worker, counted in plain dictionaries: what a request pays for being measured.

They are cumulative, so adding those of several workers, dead ones too, gives those of the service.
"""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from typing import Any

from plugin.telemetry.names import FIGURES, PID, Figure

Labels = tuple[str, ...]
"""The values of a figure's labels, in their order."""

Rows = dict[Labels, list[float]]
"""A counter has one number; a histogram the count of each bucket, that above all, and the sum."""

_KNOWN = {figure.name: figure for figure in FIGURES}


class Figures:
    """What was counted, by figure and labels."""

    def __init__(self) -> None:
        self.rows: dict[str, Rows] = {}

    def count(self, figure: Figure, labels: Labels = (), by: float = 1) -> None:
        """Add to a counter, or to a gauge that others are added to."""
        rows = self.rows.setdefault(figure.name, {})
        row = rows.get(labels)
        if row is None:
            row = rows[labels] = [0]
        row[0] += by

    def observe(self, figure: Figure, labels: Labels, value: float) -> None:
        """Put a value into its bucket."""
        rows = self.rows.get(figure.name)
        if rows is None:
            rows = self.rows[figure.name] = {}
        row = rows.get(labels)
        if row is None:
            row = rows[labels] = [0] * (len(figure.bounds) + 2)
        row[bisect_left(figure.bounds, value)] += 1
        row[-1] += value

    def add(self, other: "Figures") -> None:
        """Add all that another one counted."""
        for name, theirs in other.rows.items():
            rows = self.rows.setdefault(name, {})
            for labels, row in theirs.items():
                mine = rows.get(labels)
                rows[labels] = list(row) if mine is None else _sum(mine, row)

    def of_the_past(self) -> "Figures":
        """What still counts when the worker is gone: no gauges, and nothing of its process."""
        found = Figures()
        found.rows = {name: rows for name, rows in self.rows.items() if _lasts(_KNOWN[name])}
        return found

    def written(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return {
            name: [[*labels, row] for labels, row in rows.items()]
            for name, rows in self.rows.items()
        }

    @classmethod
    def read(cls, written: Mapping[str, Sequence[Sequence[Any]]]) -> "Figures":
        """What `written` gave; what another version of the service counted differently is left."""
        figures = cls()
        for name, rows in written.items():
            figure = _KNOWN.get(name)
            if figure is not None:
                fit = (row for row in rows if _fits(figure, row))
                figures.rows[name] = {tuple(row[:-1]): list(row[-1]) for row in fit}
        return figures


def _lasts(figure: Figure) -> bool:
    return figure.kind != "gauge" and PID not in figure.labels


def _sum(one: Sequence[float], other: Sequence[float]) -> list[float]:
    return [mine + theirs for mine, theirs in zip(one, other, strict=True)]


def _fits(figure: Figure, row: Sequence[Any]) -> bool:
    numbers = len(figure.bounds) + 2 if figure.kind == "histogram" else 1
    return len(row) == len(figure.labels) + 1 and len(row[-1]) == numbers
