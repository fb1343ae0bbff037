"""`plugin limits`: show, set and unset what calls may take."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from plugin.cli.acts import note_act
from plugin.cli.limit_arguments import cap_of, known_subject, named, subject_of, which_limit

if TYPE_CHECKING:
    from plugin.gate.counters.protocol import Level
    from plugin.gate.counters.shared import SharedCounters
    from plugin.gate.limits import Limit
    from plugin.gate.limits_store import LimitStore
    from plugin.settings import Settings

Measure = Annotated[
    str, typer.Argument(metavar="MEASURE", help="requests, tokens, concurrent or units.")
]
Cap = Annotated[str, typer.Argument(metavar="CAP", help="The most of it, or unlimited.")]
Per = Annotated[
    str | None,
    typer.Option(
        "--per",
        help="second, minute or day: in any such stretch; month, or none: used up for good.",
    ),
]
All = Annotated[bool, typer.Option("--all", help="For all calls together.")]
Key = Annotated[
    str | None,
    typer.Option(
        metavar="ID", help="For a key (`plugin keys list`) or a token's caller; '*': for each."
    ),
]
Model = Annotated[str | None, typer.Option(metavar="ID", help="For a model; '*': for each.")]
Operation = Annotated[
    str | None, typer.Option(metavar="ID", help="For an operation; '*': for each.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


class _Row(NamedTuple):
    limit: "Limit"
    set_by: str
    level: "Level | None"


def register(app: typer.Typer) -> None:
    """Add the command group."""
    limits = typer.Typer(no_args_is_help=True, help="Show, set and unset what calls may take.")
    for command in (show, set_, unset):
        limits.command(command.__name__.rstrip("_"))(command)
    app.add_typer(limits, name="limits")


def show(
    key: Key = None, model: Model = None, operation: Operation = None, *, as_json: AsJson = False
) -> None:
    """Show the limits; with a key, a model or an operation those that it meets, and what is left.

    What holds for each one (*) has a count for each, so name one to see it.
    """
    from plugin.settings import load

    settings = load()
    given = {"key": key, "model": model, "operation": operation}
    subjects = {
        scope: known_subject(settings, scope, named)
        for scope, named in given.items()
        if named is not None
    }
    rows = _rows(settings, subjects)
    if as_json:
        typer.echo(json.dumps([_as_object(row) for row in rows]))
    else:
        _table(rows)


def set_(  # noqa: PLR0913 - each option is a scope
    measure: Measure,
    cap: Cap,
    per: Per = None,
    *,
    all_: All = False,
    key: Key = None,
    model: Model = None,
    operation: Operation = None,
) -> None:
    """Set a limit; it holds from the next request on, in every worker."""
    from plugin.gate.limits import Limit, amount
    from plugin.settings import load

    settings = load()
    which = which_limit(settings, measure, per, subject_of(key, model, operation, everything=all_))
    limit = Limit(*which, cap_of(cap, which))
    with _store(settings) as store:
        store.set(limit)
    note_act(settings.data_dir, "limit set", named(which), cap=limit.cap)
    typer.echo(f"{_whose(limit)}: {amount(limit)}")


def unset(
    measure: Measure,
    per: Per = None,
    *,
    all_: All = False,
    key: Key = None,
    model: Model = None,
    operation: Operation = None,
) -> None:
    """Take a limit back; where there is a default it holds again."""
    from plugin.errors import CannotRun
    from plugin.settings import load

    settings = load()
    which = which_limit(settings, measure, per, subject_of(key, model, operation, everything=all_))
    with _store(settings) as store:
        if not store.unset(which):
            raise CannotRun("there is no such limit; `plugin limits show` lists what was set")
    note_act(settings.data_dir, "limit unset", named(which))
    typer.echo("unset")


@contextmanager
def _store(settings: "Settings") -> "Iterator[LimitStore]":
    from plugin.errors import CannotRun
    from plugin.gate.limits_store import LimitStore
    from plugin.storage.database import FAILURES, open_blocking
    from plugin.storage.migrate import prepare
    from plugin.storage.reserve import Reserve

    Reserve(settings.data_dir, settings.disk_reserve).release()
    prepare(settings.data_dir, settings.database)
    engine = open_blocking(settings.database)
    try:
        yield LimitStore(engine)
    except FAILURES as error:
        raise CannotRun(f"{settings.database} cannot be used: {error}") from None
    finally:
        engine.dispose()


def _rows(settings: "Settings", subjects: dict[str, str]) -> list[_Row]:
    import time

    from plugin.gate.limits import EACH, Limits, identity, month_of
    from plugin.gate.prices import Prices

    with _store(settings) as store, _counters(settings) as counters:
        stored = store.list()
        limits = Limits(stored, Prices(), month_of(time.time()))
        were_set = {identity(limit) for limit in stored}
        rows = []
        for limit in limits.of(subjects) if subjects else limits.all:
            own = identity(limit) in were_set
            general = (limit.scope, EACH, limit.measure, limit.period) in were_set
            counted = limit.cap is not None and (limit.subject != EACH or limit.scope == "all")
            level = counters.level(limits.take(limit)) if counters and counted else None
            rows.append(_Row(limit, "set" if own or general else "default", level))
    return rows


@contextmanager
def _counters(settings: "Settings") -> "Iterator[SharedCounters | None]":
    """The counts of the workers, if there ever were any."""
    from contextlib import closing

    from plugin.gate.counters.shared import SharedCounters
    from plugin.gate.opening import COUNTERS

    path = settings.data_dir / COUNTERS
    if not path.exists():
        yield None
        return
    with closing(SharedCounters(path)) as counters:
        yield counters


def _whose(limit: "Limit") -> str:
    from plugin.gate.limits import EACH

    if limit.scope == "all":
        return "all calls together"
    return f"each {limit.scope}" if limit.subject == EACH else f"the {limit.scope} {limit.subject}"


def _as_object(row: _Row) -> dict[str, Any]:
    limit, set_by, level = row
    return {
        "scope": limit.scope,
        "subject": limit.subject,
        "measure": limit.measure,
        "per": limit.period,
        "cap": limit.cap,
        "from": set_by,
        "left": None if level is None else level.left,
        "reset_seconds": None if level is None else round(level.reset, 1),
    }


def _table(rows: Sequence[_Row]) -> None:
    table = [["for", "at most", "from", "left", "all free in"]]
    table += [_cells(row) for row in rows]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for line in table:
        padded = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        typer.echo("  ".join(padded).rstrip())


def _cells(row: _Row) -> list[str]:
    from plugin.gate.limits import amount

    limit, set_by, level = row
    left = "-" if level is None else str(level.left)
    reset = f"{level.reset:.0f} s" if level is not None and level.reset else "-"
    return [_whose(limit), amount(limit), set_by, left, reset]
