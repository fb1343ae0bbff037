"""The outcomes of a replay as people read them: whose fault first, then each failure."""

from collections import Counter
from dataclasses import dataclass, field
from http import HTTPStatus

from rich.console import Console
from rich.markup import escape

from plugin.harness.faults import shown
from plugin.harness.replay import Outcome, Replayed
from plugin.harness.reports.findings import blame
from plugin.harness.reports.text import explanation, visible
from plugin.harness.transcript import Unreadable

_TITLES = {
    Outcome.SERVICE_BROKE_CONTRACT: ("red", "The service broke its contract"),
    Outcome.CALL_WAS_WRONG: ("yellow", "The call was wrong"),
    Outcome.REPAIRED: ("cyan", "Repaired, then passed"),
    Outcome.NOT_SENT: ("bright_black", "Not sent"),
    Outcome.PASSED: ("green", "Passed"),
}
_LISTED = 20
"""Failures of one kind that are listed; a report file has them all."""


@dataclass(slots=True)
class Tally:
    """Counts outcomes as they come and keeps the first failures of each kind."""

    counts: Counter[Outcome] = field(default_factory=Counter)
    shown: dict[Outcome, list[Replayed]] = field(default_factory=dict)
    unreadable: list[Unreadable] = field(default_factory=list)
    answered: int = 0
    declared_errors: int = 0

    def add(self, event: Replayed | Unreadable) -> None:
        """Count one event."""
        if isinstance(event, Unreadable):
            self.unreadable.append(event)
            return
        self.counts[event.outcome] += 1
        self.answered += event.outcome is not Outcome.NOT_SENT and event.status is not None
        if event.outcome is Outcome.PASSED and (event.status or 0) >= HTTPStatus.BAD_REQUEST:
            self.declared_errors += 1
        kept = self.shown.setdefault(event.outcome, [])
        if event.outcome is not Outcome.PASSED and len(kept) < _LISTED:
            kept.append(event)

    @property
    def found_something(self) -> bool:
        """Whether the run ends with exit code 1; a run that could send nothing shows nothing."""
        wrong = self.counts[Outcome.SERVICE_BROKE_CONTRACT] + self.counts[Outcome.CALL_WAS_WRONG]
        went = self.counts[Outcome.PASSED] + self.counts[Outcome.REPAIRED]
        return bool(wrong or self.unreadable or (self.counts[Outcome.NOT_SENT] and not went))

    def _verdict(self) -> str:
        service, model = blame(self.counts, answered=bool(self.answered))
        broken = self.counts[Outcome.SERVICE_BROKE_CONTRACT]
        colour = "bold red" if broken else "bold green" if self.answered else "bold"
        said = f"[{colour}]{service}[/{colour}]"
        return f"{said}; [bold yellow]{model}[/bold yellow]." if model else f"{said}."

    def print(self, console: Console, name: str) -> None:
        """The whole report."""
        console.print(self._verdict())
        console.print(f"{self.counts.total()} calls replayed against {_plain(name)}:")
        for outcome, (colour, title) in _TITLES.items():
            if self.counts[outcome]:
                console.print(f"[{colour}]{self.counts[outcome]:>6}  {title}[/{colour}]")
        if self.declared_errors:
            console.print(
                f"{self.declared_errors:>10}  of them with an error that the contract declares"
            )
        if self.unreadable:
            console.print(f"  [red]{len(self.unreadable):>6}  rows that cannot be read[/red]")
        for outcome, (colour, title) in _TITLES.items():
            self._print_kind(console, outcome, f"[bold {colour}]{title}[/bold {colour}]")
        for row in self.unreadable[:_LISTED]:
            console.print(f"\n[red]row {row.row}[/red] {_plain(row.error)}")

    def _print_kind(self, console: Console, outcome: Outcome, title: str) -> None:
        events = self.shown.get(outcome, [])
        if not events:
            return
        console.print(f"\n{title}")
        for event in events:
            status = f"  → {event.status}" if event.status else ""
            place = f"row {event.row} reply {event.reply} call {event.call}"
            console.print(f"  [bold]{_plain(event.name)}[/bold]  {place}{status}", highlight=False)
            for line in explanation(event):
                console.print(f"    {_plain(line)}", highlight=False, soft_wrap=True)
        if (more := self.counts[outcome] - len(events)) > 0:
            console.print(f"  … and {shown(more)} more", highlight=False)


def _plain(text: str) -> str:
    """Text that is neither markup nor a command to the terminal."""
    return escape(visible(text))
