"""`plugin usage`: calls, tokens and units by day or month, as tables, bars, CSV or JSON."""

import csv
import json
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from plugin.cli.usage_lines import FORM, MEASURES, Line, Measure, Usage, summed

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from plugin.ledger.reader import Balance

_EPOCH = date(1970, 1, 1)
_GROUPS = {"key": "key", "model": "model", "operation": "action"}
"""What one may sum up by, and what the ledger calls it."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""How a cell begins that a spreadsheet runs."""

_WITHOUT = "-"
"""Shown where a call has no key or no model."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(usage)


def usage(  # noqa: PLR0913 - a command has many options
    by: Annotated[
        str | None, typer.Option(help="Any of key, model, operation; comma-separated.")
    ] = None,
    since: Annotated[
        str | None, typer.Option("--from", metavar="DATE", help="First day, such as 2026-11-01.")
    ] = None,
    until: Annotated[
        str | None, typer.Option("--to", metavar="DATE", help="Last day; today by default.")
    ] = None,
    chart: Annotated[Measure, typer.Option(help="What the bars show.")] = Measure.calls,
    *,
    monthly: Annotated[
        bool, typer.Option("--month/--day", help="Sum up by month, or by day (the default).")
    ] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show what was used: calls, tokens and units, of the last 30 days or 12 months.

    Days are in UTC. Units are what calls cost by the price table.
    """
    from plugin.cli.ledger import open_ledger
    from plugin.settings import load

    groups = _groups(by)
    first, last = _span(since, until, monthly=monthly)
    settings = load()
    issuers = [one.issuer for one in settings.jwt_issuers]
    with open_ledger(settings) as database:
        found = _found(database, first, last, groups)
        names = _names(database, issuers, found) if "key" in groups else {}
    lines = _lines(found, groups, names, monthly=monthly)
    ids = {name: id_ for id_, name in names.items()}
    used = Usage(first, last, monthly, groups, lines, ids)
    if as_json:
        _print_json(used)
    elif as_csv:
        _print_csv(used)
    else:
        from plugin.cli.usage_chart import print_usage

        print_usage(used, chart.value)


def _groups(given: str | None) -> list[str]:
    from plugin.errors import CannotRun

    named = list(dict.fromkeys(part.strip() for part in (given or "").split(",") if part.strip()))
    unknown = [name for name in named if name not in _GROUPS]
    if unknown:
        raise CannotRun(f"--by knows key, model and operation, not {', '.join(unknown)}")
    return named


def _span(since: str | None, until: str | None, *, monthly: bool) -> tuple[date, date]:
    from plugin.errors import CannotRun

    last = _day(until, "--to") or datetime.now(UTC).date()
    first = _day(since, "--from")
    if first is None:
        year_ago = last.replace(day=1) - timedelta(days=334)
        first = year_ago.replace(day=1) if monthly else last - timedelta(days=29)
    if first > last:
        raise CannotRun(f"--from {first} lies behind --to {last}")
    return first, last


def _day(text: str | None, option: str) -> date | None:
    from plugin.errors import CannotRun

    if text is None:
        return None
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        raise CannotRun(f"{option} {text} is no day; write one such as 2026-11-23") from None


def _found(
    database: "Engine", first: date, last: date, groups: Sequence[str]
) -> "Sequence[Balance]":
    from plugin.ledger.reader import balances

    days = ((first - _EPOCH).days, (last - _EPOCH).days)
    return balances(database, *days, [_GROUPS[name] for name in groups])


def _names(
    database: "Engine", issuers: Sequence[str], found: "Sequence[Balance]"
) -> Mapping[str, str]:
    from plugin.cli.callers import names

    return names(database, issuers, {balance.key for balance in found if balance.key})


def _lines(
    found: "Sequence[Balance]", groups: Sequence[str], names: Mapping[str, str], *, monthly: bool
) -> list[Line]:
    parts: dict[tuple[str, tuple[str, ...]], list[Balance]] = {}
    for balance in found:
        period = (_EPOCH + timedelta(days=balance.day)).strftime(FORM[monthly])
        group = tuple(_name(balance, name, names) for name in groups)
        parts.setdefault((period, group), []).append(balance)
    lines = [summed(period, group, part) for (period, group), part in parts.items()]
    return sorted(lines, key=lambda line: (line.period, -line.calls, line.groups))


def _name(balance: "Balance", group: str, names: Mapping[str, str]) -> str:
    value: str = getattr(balance, _GROUPS[group]) or _WITHOUT
    return names.get(value, value) if group == "key" else value


def _print_json(found: Usage) -> None:
    rows = [
        {
            "period": line.period,
            **(groups := dict(zip(found.by, line.groups, strict=True))),
            **(
                {"key_id": found.ids.get(groups["key"], groups["key"])} if groups.get("key") else {}
            ),
            **{measure: getattr(line, measure) for measure in MEASURES},
        }
        for line in found.lines
    ]
    total = {measure: getattr(found.total, measure) for measure in MEASURES}
    said = {"from": str(found.first), "to": str(found.last), "rows": rows, "total": total}
    typer.echo(json.dumps(said, ensure_ascii=False))


def _print_csv(found: Usage) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(("period", *found.by, *MEASURES))
    for line in found.lines:
        sums = (getattr(line, measure) for measure in MEASURES)
        writer.writerow((line.period, *map(_cell, line.groups), *sums))


def _cell(name: str) -> str:
    """Return a name as a cell of CSV; a spreadsheet takes what follows an apostrophe as text."""
    if name == _WITHOUT:
        return ""
    return f"'{name}" if name.startswith(_FORMULA) else name
