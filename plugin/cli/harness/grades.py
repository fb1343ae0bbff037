"""How a service met mistakes, as people read it: sums for each mistake, then the failures."""

from collections import Counter
from dataclasses import dataclass, field

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from plugin.harness.grading import Grade, Refusal
from plugin.harness.replay import Replayed
from plugin.harness.reports.text import explanation, visible
from plugin.harness.transcript import Unreadable

_LISTED = 20
"""Failures that are listed; --json has them all."""

_ANSWERED = (Refusal.REFUSED, Refusal.ACCEPTED, Refusal.FAILED)
_COLUMNS = ("mistake", "made", "sent", "refused", "can be acted on")


@dataclass(slots=True)
class _Sums:
    refusals: Counter[Refusal] = field(default_factory=Counter)
    can_be_acted_on: int = 0

    def add(self, grade: Grade) -> None:
        self.refusals[grade.refusal] += 1
        self.can_be_acted_on += bool(grade.wording and grade.wording.can_be_acted_on)

    @property
    def sent(self) -> int:
        return sum(self.refusals[refusal] for refusal in _ANSWERED)

    def cells(self) -> tuple[str, ...]:
        counts = (self.refusals.total(), self.sent, self.refusals[Refusal.REFUSED])
        return (*map(str, counts), str(self.can_be_acted_on))


@dataclass(slots=True)
class Grades:
    """Counts grades as they come and keeps the first failures."""

    by_mistake: dict[str, _Sums] = field(default_factory=dict)
    all: _Sums = field(default_factory=_Sums)
    effects: Counter[str] = field(default_factory=Counter)
    failures: list[Replayed] = field(default_factory=list)
    failed: int = 0
    unreadable: list[Unreadable] = field(default_factory=list)

    def add(self, event: Replayed | Unreadable) -> None:
        """Count one event."""
        if isinstance(event, Unreadable):
            self.unreadable.append(event)
            return
        if event.mutation is None or event.grade is None:
            return
        for sums in (self.all, self.by_mistake.setdefault(event.mutation.mutation, _Sums())):
            sums.add(event.grade)
        if event.grade.side_effect is not None:
            self.effects[event.grade.side_effect] += 1
        if event.is_finding:
            self.failed += 1
            if len(self.failures) < _LISTED:
                self.failures.append(event)

    @property
    def found_something(self) -> bool:
        """Whether the run ends with exit code 1; a run that could send nothing shows nothing."""
        went = self.all.sent + self.all.refusals[Refusal.REPAIRED]
        return bool(self.failed or self.unreadable or not went)

    def print(self, console: Console, name: str) -> None:
        """The whole report."""
        console.print(self._verdict(name), highlight=False, soft_wrap=True)
        table = Table(*_COLUMNS, box=None, pad_edge=False)
        for column in table.columns[1:]:
            column.justify = "right"
        for mistake, sums in sorted(self.by_mistake.items()):
            table.add_row(mistake, *sums.cells())
        table.add_row("all", *self.all.cells(), style="bold")
        console.print(table)
        for line in self._notes():
            console.print(line, highlight=False, soft_wrap=True)
        for event in self.failures:
            self._print_failure(console, event)
        if (more := self.failed - len(self.failures)) > 0:
            console.print(f"  … and {more} more", highlight=False)

    def _verdict(self, name: str) -> str:
        refused, sent = self.all.refusals[Refusal.REFUSED], self.all.sent
        colour = "red" if refused < sent or self.effects["changed"] else "green"
        what = f"{refused} of {sent} mistakes refused" if sent else "No mistake was sent"
        return f"[bold {colour}]{what}[/bold {colour}] by {escape(visible(name))}."

    def _notes(self) -> list[str]:
        """What the table has no column for."""
        counts = self.all.refusals
        said = {
            "with a side effect": self.effects["changed"],
            "whose side effects cannot be seen from outside": self.effects["unknown"],
            "that the wire cannot express": counts[Refusal.NOT_EXPRESSIBLE],
            "that only the harness can see": counts[Refusal.BY_HARNESS],
            "repaired before they were sent": counts[Refusal.REPAIRED],
            "not sent: it needs leave, or a key": counts[Refusal.NOT_SENT],
        }
        lines = [f"{count:>6} {what}" for what, count in said.items() if count]
        rows = [f"[red]row {row.row}[/red] {escape(visible(row.error))}" for row in self.unreadable]
        return [*lines, *rows[:_LISTED]]

    def _print_failure(self, console: Console, event: Replayed) -> None:
        mutation = event.mutation
        done = f"{mutation.mutation} at `{mutation.pointer}`" if mutation else ""
        place = f"row {event.row} reply {event.reply} call {event.call}  → {event.status}"
        console.print(
            f"\n[bold]{escape(visible(event.name))}[/bold]  {escape(visible(done))}  {place}",
            highlight=False,
        )
        for line in explanation(event):
            console.print(f"    {escape(visible(line))}", highlight=False, soft_wrap=True)
