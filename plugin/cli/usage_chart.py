"""What was used, as people read it: a table, and bars that fit the terminal."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Literal

from rich.cells import cell_len
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
_SUMS = ("calls", "tokens in", "tokens out", "units")
_GAP = 2
_SHORTEST = 8
"""Cells of a name that are always shown."""


def print_usage(found: "Usage", measure: str, console: Console | None = None) -> None:
    """Print it all; `measure` is what the bars show."""
    console = console or Console(highlight=False, soft_wrap=False)
    if not found.lines:
        console.print(f"Nothing was called from {found.first} to {found.last}.")
        console.print("`plugin usage --from DATE --to DATE` looks at other days.")
        return
    width = console.width if console.is_terminal else None
    table, wide = _table(found, width)
    before = console.width
    console.width = max(before, wide)  # or whole columns would be cut off
    console.print(table)
    console.width = before
    console.print()
    for line in _chart(found, measure, min(console.width, _WIDEST)):
        console.print(line, no_wrap=True)


def _table(found: "Usage", width: int | None) -> tuple[Table, int]:
    """The table, and how wide it is: no more than `width` if names can be shortened to that.

    Numbers are never shortened, and no column is left out.
    """
    heads = ["month" if found.monthly else "day", *found.by, *_SUMS]
    rows = [[line.period, *line.groups[: len(found.by)], *_sums(line)] for line in found.lines]
    rows.append(["total", *[""] * len(found.by), *_sums(found.total)])
    widths = [max(map(cell_len, column)) for column in zip(heads, *rows, strict=True)]
    while width is not None and _whole(widths) > width:
        spare = {at: widths[at] - max(_SHORTEST, len(name)) for at, name in enumerate(found.by, 1)}
        longest = max(spare, key=lambda at: spare[at], default=0)
        if spare.get(longest, 0) <= 0:
            break
        widths[longest] -= 1
    table = Table(box=None, padding=(0, _GAP, 0, 0), pad_edge=False, header_style="bold")
    for at, name in enumerate(heads):
        justify: Literal["left", "right"] = "right" if at > len(found.by) else "left"
        table.add_column(name, justify=justify, no_wrap=True, overflow="ellipsis", width=widths[at])
    before = ""
    for line in found.lines:
        period = "" if line.period == before else line.period
        before = line.period
        table.add_row(period, *map(Text, line.groups[: len(found.by)]), *_sums(line))
    table.add_row(*rows[-1], style="bold")
    return table, _whole(widths)


def _whole(widths: Sequence[int]) -> int:
    return sum(widths) + _GAP * (len(widths) - 1)


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
