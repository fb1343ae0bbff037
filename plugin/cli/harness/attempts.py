"""What became of the attempts of `plugin auth-matrix`, as people and as programs read it."""

from collections import Counter
from dataclasses import dataclass, field

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from plugin.harness.auth_matrix import AT_ONCE, Outcome, Tried
from plugin.harness.json_text import dumps
from plugin.harness.reports.text import visible


def print_line(tried: Tried) -> None:
    """One attempt as a JSON line; `status` is null where nothing was sent or several were."""
    line = {
        "operation": tried.operation,
        "case": tried.case,
        "outcome": tried.outcome,
        "expected": list(tried.expected),
        "status": tried.statuses[0] if len(tried.statuses) == 1 else None,
        "statuses": list(tried.statuses),
        "checks": [
            {"check": check.check, "ok": check.ok, "message": check.message}
            for check in tried.checks
        ],
    }
    typer.echo(dumps({**line, "reason": tried.reason} if tried.reason else line))


@dataclass(slots=True)
class Attempts:
    """Counts attempts as they come; keeps a line for each operation, and what failed."""

    counts: Counter[Outcome] = field(default_factory=Counter)
    _by_operation: dict[str, list[Tried]] = field(default_factory=dict)

    def add(self, tried: Tried) -> None:
        """Count one attempt."""
        self.counts[tried.outcome] += 1
        self._by_operation.setdefault(tried.operation, []).append(tried)

    @property
    def found_something(self) -> bool:
        """Whether the run ends with exit code 1; a run that could try nothing shows nothing."""
        return bool(self.counts[Outcome.FAILED]) or not self.counts[Outcome.PASSED]

    def print(self, console: Console, name: str) -> None:
        """The whole report."""
        failed = self.counts[Outcome.FAILED]
        sent = failed + self.counts[Outcome.PASSED]
        if failed:
            console.print(f"[bold red]{failed} of {sent} attempts went wrong[/bold red]")
        elif sent:
            console.print("[bold green]Every key that must not open anything was refused[/]")
        else:
            console.print("[bold]Nothing was tried[/bold]")
        console.print(f"{sent} attempts at {_plain(name)}:")
        table = Table(box=None, pad_edge=False)
        for title in ("operation", "refused as it should be", "let in", "twice at once"):
            table.add_column(title)
        for operation, attempts in self._by_operation.items():
            table.add_row(_plain(operation), *_cells(attempts))
        console.print(table)
        for attempts in self._by_operation.values():
            for tried in attempts:
                self._print_failure(console, tried)

    def _print_failure(self, console: Console, tried: Tried) -> None:
        if tried.outcome is not Outcome.FAILED:
            return
        statuses = " + ".join(map(str, tried.statuses)) or "no answer"
        console.print(
            f"\n[red]{_plain(tried.operation)}[/red]  {_plain(tried.case)}  → {statuses}",
            highlight=False,
        )
        for check in tried.checks:
            if not check.ok:
                console.print(f"    {check.check}: {_plain(check.message)}", highlight=False)


def _cells(attempts: list[Tried]) -> list[str]:
    """The cells of one operation: of the wrong keys, of the good ones, of two calls at once."""
    if attempts[0].outcome in (Outcome.OPEN, Outcome.NOT_SENT):
        return [_plain(attempts[0].reason), "", ""]
    refusals = [one for one in attempts if one.expected]
    passed = sum(one.outcome is Outcome.PASSED for one in refusals)
    let_in = [one for one in attempts if not one.expected and one.case != AT_ONCE]
    at_once = [one for one in attempts if one.case == AT_ONCE]
    colour = "green" if passed == len(refusals) else "red"
    return [
        f"[{colour}]{passed} of {len(refusals)}[/{colour}]",
        " ".join(_statuses(one) for one in let_in) or "no good key was given",
        " ".join(_statuses(one) for one in at_once),
    ]


def _statuses(tried: Tried) -> str:
    text = " + ".join(map(str, tried.statuses)) or "no answer"
    return text if tried.outcome is Outcome.PASSED else f"[red]{text}[/red]"


def _plain(text: str) -> str:
    return escape(visible(text))
