"""`plugin replay`: recorded calls against a service, and whose fault each failure is."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import typer

from plugin.cli.harness import replay_options as options
from plugin.cli.harness.expected import Expect, Expected, Mask, Record
from plugin.cli.harness.judge import Calls, open_calls
from plugin.cli.harness.mistakes import Count, Every, Mistakes, Mode, Mutate, Repair, Seed
from plugin.cli.harness.reports import Github, Html, Reports
from plugin.cli.terminal import fail
from plugin.exit_codes import FINDINGS, FINE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from plugin.harness.replay import Replayed
    from plugin.harness.transcript import Unreadable
    from plugin.transports.service_under_test import UnderTest, Where

    Listener = Callable[[Replayed | Unreadable], None]


@dataclass(frozen=True, slots=True)
class _Run:
    """What is replayed, how strictly, and where the report goes."""

    calls: str
    document: bytes | None
    allow_consequential: bool
    max_characters: int
    max_seconds: float
    as_json: bool
    junit: Path | None
    reports: Reports
    repair: Mode
    mistakes: Mistakes | None
    expected: Expected


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(replay)


def replay(  # noqa: PLR0913 - each is one documented option
    calls: Calls,
    *,
    app: options.App = None,
    url: options.Url = None,
    openapi: options.Openapi = None,
    key: options.Key = None,
    allow_host: options.AllowHost = None,
    allow_consequential: options.AllowConsequential = False,
    max_characters: options.MaxCharacters = 100_000,
    max_seconds: options.MaxSeconds = 45.0,
    as_json: options.AsJson = False,
    junit: options.Junit = None,
    html: Html = None,
    github: Github = False,
    repair: Repair = Mode.OFF,
    mutate: Mutate = False,
    seed: Seed = 0,
    count: Count = 1,
    every: Every = False,
    record: Record = None,
    expect: Expect = None,
    mask: Mask = None,
) -> None:
    """Replay recorded calls and say of each failure whether the service or the call was wrong.

    Without --app or --url the calls go to this service, in this process, on a throw-away database.
    """
    from plugin.transports.service_under_test import Where
    from plugin.transports.sources import load

    if app and url:
        fail("--app and --url exclude each other; give the one service to replay against")
    # A late answer is still worth seeing; one that is twice as late will not come.
    where = Where(app, url, key, tuple(allow_host or ()), 2 * max_seconds + 1)
    document = load(openapi) if openapi else None
    expected = Expected(record, expect, tuple(mask or ()))
    if mutate and expected.is_asked_for:
        fail("--mutate makes other calls each time; give it without --record and --expect")
    run = _Run(
        calls=calls,
        document=document,
        allow_consequential=allow_consequential,
        max_characters=max_characters,
        max_seconds=max_seconds,
        as_json=as_json,
        junit=junit,
        reports=Reports(calls, html, github=github),
        repair=repair,
        mistakes=Mistakes(seed, count, every) if mutate else None,
        expected=expected,
    )
    raise typer.Exit(FINDINGS if asyncio.run(_replay(where, run)) else FINE)


async def _replay(where: "Where", run: _Run) -> bool:
    from rich.console import Console

    from plugin.cli.harness.grades import Grades
    from plugin.cli.harness.outcomes import Tally
    from plugin.cli.harness.own_service import open_target

    tally, kept, out = Grades() if run.mistakes else Tally(), [], sys.stdout
    # What an application in this process prints must not get between the lines of the report.
    with _progress(run.as_json) as advance, redirect_stdout(sys.stderr):
        async with open_target(where) as service:
            async for event in _events(service, where, run):
                tally.add(event)
                advance()
                if run.junit:
                    kept.append(event)
                if run.as_json:
                    _print_line(event, out)
    if run.junit:
        _write_junit(run.junit, kept)
    if not run.as_json:
        with run.reports.text_is_no_command():
            tally.print(Console(), service.name)
    run.reports.write(service.name, aside=run.as_json)
    return tally.found_something


async def _events(
    service: "UnderTest", where: "Where", run: _Run
) -> "AsyncIterator[Replayed | Unreadable]":
    from plugin.contract.names import names
    from plugin.contract.openapi import read
    from plugin.harness import repair, transcript
    from plugin.harness.checks import Checks, Limits
    from plugin.harness.replay import Replay, Rules
    from plugin.transports.service_under_test import has_base_path

    contract = read(run.document) if run.document else await service.contract()
    way = run.expected.way(service.send)
    replay = Replay(
        operations=names(contract),
        send=way.send,
        checks=Checks(Limits(run.max_characters, run.max_seconds * 1000)),
        rules=Rules(
            bool(where.url),
            run.allow_consequential,
            repair.Mode(run.repair),
            relative_servers=not has_base_path(where),
        ),
    )
    runner = run.mistakes.refusals(replay, service.state) if run.mistakes else replay
    with open_calls(run.calls) as stream:
        events = runner.run(transcript.read(stream))
        async for event in run.expected.events(events, way, replay.operations):
            run.reports.add(event, replay.operations)
            yield event


@contextmanager
def _progress(as_json: bool) -> "Iterator[Callable[[], None]]":  # noqa: FBT001 - passed on
    """A counter on the terminal, on long runs; nothing where nobody watches."""
    from rich.console import Console
    from rich.progress import Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.completed:,.0f} calls"), TimeElapsedColumn())
    quiet = as_json or not console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=quiet) as progress:
        task = progress.add_task("", total=None)
        yield lambda: progress.advance(task)


def _print_line(event: "Replayed | Unreadable", out: TextIO) -> None:
    from plugin.harness.json_text import dumps
    from plugin.harness.reports import text as report
    from plugin.harness.transcript import Unreadable

    if isinstance(event, Unreadable):
        line = report.unreadable_line(event)
    else:
        line = report.replayed_line(event)
    typer.echo(dumps(line).decode(), file=out)


def _write_junit(path: Path, events: "list[Replayed | Unreadable]") -> None:
    from plugin.harness.reports.text import junit

    try:
        path.write_bytes(junit(events))
    except OSError as error:
        fail(f"cannot write {path}: {error.strerror}; give --junit a file that can be written")
