"""`plugin mutate`: good calls into the mistakes that models make."""

from collections import Counter
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from plugin.cli.harness.judge import Calls, Openapi, Tools, judge_by, open_calls
from plugin.cli.harness.mistakes import Count, Every, Mistakes, Seed
from plugin.exit_codes import FINDINGS, FINE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from plugin.harness.declared import Judges
    from plugin.harness.mutate import Mutated, Mutator
    from plugin.harness.transcript import Reply, Unreadable


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(mutate)


def mutate(  # noqa: PLR0913 - each is one documented option
    calls: Calls,
    *,
    openapi: Openapi = None,
    tools: Tools = None,
    seed: Seed = 0,
    count: Count = 1,
    every: Every = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON line per mistake.")] = False,
) -> None:
    """Make the mistakes of models in recorded calls, as often as models make them.

    Each good call gets mistakes that its tool's schema makes possible, drawn by measured rates and
    labelled with the fault that is to be found. The lines of --json can be judged and replayed.
    """
    from plugin.harness.declared import Judges

    judges, mutator = Judges(judge_by(openapi, tools)), Mistakes(seed, count, every).mutator()
    with open_calls(calls) as stream:
        report = _print_json if as_json else _print_text
        made_all = report(_events(stream, judges, mutator), declared=not (openapi or tools))
    raise typer.Exit(FINE if made_all else FINDINGS)


def _events(
    stream: BinaryIO, judges: "Judges", mutator: "Mutator"
) -> "Iterator[tuple[Reply, list[Mutated]] | Unreadable]":
    """Each reply with the mistakes made in it, and each row that cannot be read."""
    from plugin.harness import transcript

    for reply in transcript.read(stream):
        if isinstance(reply, transcript.Unreadable):
            yield reply
            continue
        judge, verdicts = judges.judge_of(reply), judges.verdicts(reply)
        if judge is None:
            yield reply, []
            continue
        all_known = judges.knows_every_name(reply)
        yield reply, list(mutator.mutations(reply, verdicts, judge, all_known=all_known))


def _print_json(
    events: "Iterator[tuple[Reply, list[Mutated]] | Unreadable]", *, declared: bool
) -> bool:
    from plugin.harness.json_text import dumps
    from plugin.harness.reports import text as report

    out, readable = typer.get_binary_stream("stdout"), True
    for event in events:
        if not isinstance(event, tuple):
            readable = False
            out.write(dumps(report.unreadable_line(event)) + b"\n")
            continue
        reply, made = event
        for mutated in made:
            line = report.mutated_line(mutated, reply.tools if declared else None)
            out.write(dumps(line) + b"\n")
    out.flush()
    return readable


def _print_text(
    events: "Iterator[tuple[Reply, list[Mutated]] | Unreadable]", *, declared: bool
) -> bool:
    from plugin.harness.mistakes.rates import AS_OF, PER_10_000_CALLS, SOURCE

    made: Counter[str] = Counter()
    calls = changed = unreadable = 0
    for event in events:
        if not isinstance(event, tuple):
            unreadable += 1
            continue
        reply, found = event
        calls += len(reply.calls)
        changed += len({mutated.call for mutated in found})
        made.update(mutated.mutation.mutation for mutated in found)
    typer.echo(f"{made.total()} mistakes in {changed} of {calls} calls")
    for name, rate in PER_10_000_CALLS.items():
        typer.echo(f"{made[name]:>8}  {name:<20} measured: {rate:>4.1f} in 10,000 calls")
    typer.echo(f"Measured on {SOURCE} (counted {AS_OF}).")
    if changed < calls:
        hint = "; give a contract with --openapi or --tools" if declared and not changed else ""
        typer.echo(f"{calls - changed} calls were left alone: wrong, or without a contract{hint}.")
    if unreadable:
        typer.echo(f"{unreadable} rows cannot be read; plugin judge says why.")
    return bool(changed) and not unreadable
