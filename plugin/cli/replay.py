"""`plugin replay`: recorded calls against a service, and whose fault each failure is."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from plugin.cli.judge import Calls, open_calls
from plugin.cli.terminal import FINDINGS, FINE, fail

if TYPE_CHECKING:
    from collections.abc import Iterator

    from plugin.cli.under_test import UnderTest, Where
    from plugin.harness.replay import Replayed
    from plugin.harness.transcript import Unreadable

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


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(replay)


def replay(  # noqa: PLR0913 - each is one documented option
    calls: Calls,
    *,
    app: Annotated[
        str | None,
        typer.Option(metavar="MODULE:ATTR", help="An ASGI application, or a factory of one."),
    ] = None,
    url: Annotated[
        str | None, typer.Option(metavar="URL", help="A running service in any language.")
    ] = None,
    openapi: Annotated[
        str | None,
        typer.Option(metavar="SPEC|URL", help="Its contract; default: its own /openapi.json."),
    ] = None,
    key: Annotated[
        str | None,
        typer.Option(envvar="PLUGIN_KEY", help="The bearer key to send; it is never printed."),
    ] = None,
    allow_host: Annotated[
        list[str] | None, typer.Option(metavar="HOST", help="Allow a host other than this machine.")
    ] = None,
    allow_consequential: Annotated[
        bool, typer.Option(help="Send calls that change something over the network, too.")
    ] = False,
    max_characters: Annotated[
        int, typer.Option(help="Answers have to be shorter than this.")
    ] = 100_000,
    max_seconds: Annotated[float, typer.Option(help="The longest round trip to accept.")] = 45.0,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON line per call.")] = False,
    junit: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write JUnit XML as well.")
    ] = None,
) -> None:
    """Replay recorded calls and say of each failure whether the service or the call was wrong.

    Without --app or --url the calls go to this service, in this process, on a throw-away database.
    """
    from plugin.cli.sources import load
    from plugin.cli.under_test import Where

    if app and url:
        fail("--app and --url exclude each other; give the one service to replay against")
    # A late answer is still worth seeing; one that is twice as late will not come.
    where = Where(app, url, key, tuple(allow_host or ()), 2 * max_seconds + 1)
    document = load(openapi) if openapi else None
    run = _Run(calls, document, allow_consequential, max_characters, max_seconds, as_json, junit)
    raise typer.Exit(FINDINGS if asyncio.run(_replay(where, run)) else FINE)


async def _replay(where: "Where", run: _Run) -> bool:
    from rich.console import Console

    from plugin.cli.outcomes import Tally
    from plugin.cli.under_test import open_service

    tally, kept = Tally(), []
    with _progress(run.as_json) as advance:
        async with open_service(where) as service:
            async for event in _events(service, where, run):
                tally.add(event)
                advance()
                if run.junit:
                    kept.append(event)
                if run.as_json:
                    _print_line(event)
    if run.junit:
        _write_junit(run.junit, kept)
    if not run.as_json:
        tally.print(Console(), service.name)
    return tally.found_something


async def _events(
    service: "UnderTest", where: "Where", run: _Run
) -> "AsyncIterator[Replayed | Unreadable]":
    from plugin.contract.names import names
    from plugin.contract.openapi import read
    from plugin.harness import transcript
    from plugin.harness.checks import Checks, Limits
    from plugin.harness.replay import Replay, Rules

    contract = read(run.document) if run.document else await service.contract()
    replay = Replay(
        operations=names(contract),
        send=service.send,
        checks=Checks(Limits(run.max_characters, run.max_seconds * 1000)),
        rules=Rules(bool(where.url), run.allow_consequential),
    )
    with open_calls(run.calls) as stream:
        async for event in replay.run(transcript.read(stream)):
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


def _print_line(event: "Replayed | Unreadable") -> None:
    from plugin.harness import report
    from plugin.harness.json_text import dumps
    from plugin.harness.transcript import Unreadable

    if isinstance(event, Unreadable):
        line = report.unreadable_line(event)
    else:
        line = report.replayed_line(event)
    typer.echo(dumps(line))


def _write_junit(path: Path, events: "list[Replayed | Unreadable]") -> None:
    from plugin.harness.report import junit

    try:
        path.write_bytes(junit(events))
    except OSError as error:
        fail(f"cannot write {path}: {error.strerror}; give --junit a file that can be written")
