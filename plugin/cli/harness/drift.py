"""`plugin drift`: which recorded calls break if a contract ships, and why."""

from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from plugin.cli.harness.judge import Calls, open_calls
from plugin.cli.terminal import fail
from plugin.exit_codes import FINDINGS, FINE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

    from plugin.harness.drift.compare import Drift, Drifted
    from plugin.harness.reports.drift import Tally
    from plugin.harness.transcript import Unreadable

_SHOWN = 3
"""Calls of one cause that the terminal names."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(drift)


def drift(
    calls: Calls,
    *,
    old: Annotated[
        str, typer.Option(metavar="SPEC|URL", help="The contract that the calls were made for.")
    ],
    new: Annotated[str, typer.Option(metavar="SPEC|URL", help="The contract that is to ship.")],
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON line per call that breaks.")
    ] = False,
    github: Annotated[
        bool, typer.Option("--github", help="Markdown for a pull request, without arguments.")
    ] = False,
) -> None:
    """Say which recorded calls break if a contract ships, and why. Nothing is sent.

    A call breaks when it fits the old contract and not the new one. Exit code 1 when one does.
    """
    from plugin.harness.reports.drift import Tally

    if as_json and github:
        fail("--json and --github exclude each other; give the one to print")
    if [calls, old, new].count("-") > 1:
        fail("only one of CALLS, --old and --new can be standard input")
    tally = Tally()
    judged = _contracts(old, new)
    with open_calls(calls) as stream:
        for event in _events(judged, stream):
            tally.add(event)
            if as_json:
                _print_line(event)
    _print(tally, as_json=as_json, github=github)
    raise typer.Exit(FINDINGS if tally.found_something else FINE)


def _contracts(old: str, new: str) -> "Drift":
    from plugin.contract.openapi import read
    from plugin.harness.drift.compare import Drift
    from plugin.transports.sources import load

    return Drift(read(load(old)), read(load(new)))


def _events(judged: "Drift", stream: BinaryIO) -> "Iterator[Drifted | Unreadable]":
    from plugin.harness import transcript

    return judged.run(transcript.read(stream))


def _print_line(event: "Drifted | Unreadable") -> None:
    from plugin.harness.drift.compare import Fate
    from plugin.harness.json_text import dumps
    from plugin.harness.reports import drift as drift_report
    from plugin.harness.reports import text as report
    from plugin.harness.transcript import Unreadable

    if isinstance(event, Unreadable):
        typer.echo(dumps(report.unreadable_line(event)))
    elif event.fate is Fate.BREAKS:
        typer.echo(dumps(drift_report.line(event)))


def _print(tally: "Tally", *, as_json: bool, github: bool) -> None:
    from rich.console import Console

    from plugin.harness.reports.drift import github as markdown

    if github:
        typer.echo(markdown(tally))
    elif not as_json:
        _print_summary(Console(highlight=False, soft_wrap=True), tally)
    elif tally.fits_nothing:
        typer.echo(tally.verdict(), err=True)


def _print_summary(console: "Console", tally: "Tally") -> None:
    from rich.markup import escape

    from plugin.harness.reports.drift import place
    from plugin.harness.reports.text import visible

    colour = "red" if tally.found_something else "green"
    console.print(f"[bold {colour}]{tally.verdict()}[/bold {colour}]")
    for cause, group in tally.by_cause():
        named = ", ".join(group.operations)
        text = f"{group.calls:,} of {tally.calls:,}: {cause}  ({named})"
        console.print(f"\n[bold]{escape(visible(text))}[/bold]")
        for one in group.examples[:_SHOWN]:
            faults = "; ".join(f"{fault.fault}: {fault.message}" for fault in one.faults)
            console.print(f"    {escape(visible(f'{one.operation}  {place(one)}  {faults}'))}")
        if group.calls > _SHOWN:
            console.print(f"    … and {group.calls - _SHOWN:,} more; --json has them all")
    others = "; ".join(tally.others())
    if others:
        console.print(f"\n{others}.")
