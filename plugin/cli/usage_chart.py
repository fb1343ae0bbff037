"""What was used, as people read it: a table, and bars that fit the terminal."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from plugin.cli.terminal import counted

if TYPE_CHECKING:
    from plugin.cli.usage_lines import Line, Usage

_COLOURS = ("cyan", "magenta", "yellow", "green", "blue")
_OTHERS = "bright_black"
_EIGHTHS = " ▏▎▍▌▋▊▉"
_WIDEST = 100


def print_usage(found: "Usage", measure: str, console: Console | None = None) -> None:
    """Print it all; `measure` is what the bars show."""
    console = console or Console(highlight=False, soft_wrap=False)
    if not found.lines:
        console.print(f"Nothing was called from {found.first} to {found.last}.")
        console.print("`plugin usage --from DATE --to DATE` looks at other days.")
        return
    console.print(_table(found))
    console.print()
    for line in _chart(found, measure, min(console.width, _WIDEST)):
        console.print(line, no_wrap=True)


def _table(found: "Usage") -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    table.add_column("month" if found.monthly else "day", no_wrap=True)
    for name in found.by:
        table.add_column(name, no_wrap=True, overflow="ellipsis")
    for name in ("calls", "tokens in", "tokens out", "units"):
        table.add_column(name, justify="right", no_wrap=True, min_width=len(name))
    before = ""
    for line in found.lines:
        period = "" if line.period == before else line.period
        before = line.period
        table.add_row(period, *map(Text, line.groups), *_sums(line))
    empty = [""] * len(found.by)
    table.add_row("total", *empty, *_sums(found.total), style="bold")
    return table


def _sums(line: "Line") -> Iterator[str]:
    for number in (line.calls, line.tokens_in, line.tokens_out, line.units):
        yield f"{number:,}"


def _chart(found: "Usage", measure: str, width: int) -> Iterator[Text]:
    groups = _largest(found, measure) if found.by else []
    colours = dict(zip(groups, _COLOURS, strict=False))
    yield Text(f"{measure} a {'month' if found.monthly else 'day'}", style="bold")
    parts = {period: _parts(found, measure, period, colours) for period in found.periods}
    most = max(sum(number for number, _ in part) for part in parts.values())
    labels = {period: f"{sum(number for number, _ in part):,}" for period, part in parts.items()}
    widest = max(map(len, labels.values()))
    room = width - len(found.periods[0]) - widest - 4
    for period, part in parts.items():
        bar = _bar(part, most, room)
        bar.pad_right(room - bar.cell_len)
        yield Text.assemble(f"{period}  ", bar, f"  {labels[period]:>{widest}}")
    if colours:
        yield Text()
        yield from _legend(found, colours)


def _largest(found: "Usage", measure: str) -> list[tuple[str, ...]]:
    sums: dict[tuple[str, ...], int] = {}
    for line in found.lines:
        sums[line.groups] = sums.get(line.groups, 0) + getattr(line, measure)
    return sorted(sums, key=lambda group: (-sums[group], group))[: len(_COLOURS)]


def _parts(
    found: "Usage", measure: str, period: str, colours: dict[tuple[str, ...], str]
) -> list[tuple[int, str]]:
    """How much of each colour a bar has, in the order of the legend."""
    plain = _OTHERS if found.by else _COLOURS[0]
    sums = dict.fromkeys([*colours.values(), plain], 0)
    for line in found.lines:
        if line.period == period:
            sums[colours.get(line.groups, plain)] += getattr(line, measure)
    return [(number, colour) for colour, number in sums.items()]


def _bar(parts: Sequence[tuple[int, str]], most: int, room: int) -> Text:
    """Each part begins where the one before it ends, to an eighth of a cell at the very end."""
    bar, reached, passed = Text(), 0, 0
    for number, colour in parts:
        passed += number
        cells = passed * room // max(most, 1)
        bar.append("█" * (cells - reached), style=colour)
        reached = cells
    rest = passed * room * 8 // max(most, 1) % 8
    if passed and not reached and not rest:
        rest = 1  # something is never shown as nothing
    if rest:
        last = next(colour for number, colour in reversed(parts) if number)
        bar.append(_EIGHTHS[rest], style=last)
    return bar


def _legend(found: "Usage", colours: dict[tuple[str, ...], str]) -> Iterator[Text]:
    for group, colour in colours.items():
        yield Text.assemble(("█ ", colour), " · ".join(group))
    others = len({line.groups for line in found.lines}) - len(colours)
    if others > 0:
        yield Text.assemble(("█ ", _OTHERS), counted(others, "other"))
