"""Drift as JSON lines, as counts by cause, and as Markdown for a pull request."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import escape
from typing import Any

from plugin.contract.targets import GITHUB_COMMENT
from plugin.harness.drift.compare import Drifted, Fate
from plugin.harness.transcript import Unreadable

_EXAMPLES = 10
"""Calls of one cause that are named; the JSON lines have them all."""

_ROOM_FOR_THE_REST = 500
"""Characters of a comment kept for the head of the table and the closing words."""

_MARKUP = re.compile(r"[\\`*_~\[\]|@]|#(?=\w)|:(?=[\w/])|(?<=www)\.", re.IGNORECASE)


@dataclass(slots=True)
class Group:
    """The calls that one change breaks: how many, of which operations, and the first of them."""

    calls: int = 0
    operations: Counter[str] = field(default_factory=Counter)
    examples: list[Drifted] = field(default_factory=list)


@dataclass(slots=True)
class Tally:
    """Counts calls as they come. A call that two changes break counts with both."""

    fates: Counter[Fate] = field(default_factory=Counter)
    groups: dict[str, Group] = field(default_factory=dict)
    unreadable: int = 0

    def add(self, event: Drifted | Unreadable) -> None:
        """Count one event."""
        if isinstance(event, Unreadable):
            self.unreadable += 1
            return
        self.fates[event.fate] += 1
        for cause in event.causes:
            group = self.groups.setdefault(cause, Group())
            group.calls += 1
            group.operations[event.operation] += 1
            if len(group.examples) < _EXAMPLES:
                group.examples.append(event)

    @property
    def calls(self) -> int:
        """All calls that were read."""
        return self.fates.total()

    @property
    def fits_nothing(self) -> bool:
        """Whether no call names an operation of the old contract, so that nothing was compared."""
        return bool(self.calls) and self.fates[Fate.NOT_OFFERED] == self.calls

    @property
    def found_something(self) -> bool:
        """Whether the run ends with exit code 1."""
        return bool(self.fates[Fate.BREAKS] or self.unreadable or self.fits_nothing)

    def by_cause(self) -> list[tuple[str, Group]]:
        """The causes, the one that breaks most calls first."""
        return sorted(self.groups.items(), key=lambda found: (-found[1].calls, found[0]))

    def verdict(self) -> str:
        """The sum in one sentence."""
        if self.fits_nothing:
            return (
                f"None of the {self.calls:,} recorded calls names an operation of the old contract:"
                " give the one that they were made for."
            )
        broken = self.fates[Fate.BREAKS]
        if not broken:
            return f"None of the {self.calls:,} recorded calls breaks if this contract ships."
        verb = "breaks" if broken == 1 else "break"
        return f"{broken:,} of {self.calls:,} recorded calls {verb} if this contract ships."

    def others(self) -> Iterator[str]:
        """What else became of calls, a sentence each."""
        if self.fates[Fate.FITS]:
            yield f"{self.fates[Fate.FITS]:,} still fit"
        if self.fates[Fate.WAS_WRONG]:
            yield f"{self.fates[Fate.WAS_WRONG]:,} did not fit the old contract either"
        if self.fates[Fate.NOT_OFFERED] and not self.fits_nothing:
            yield f"{self.fates[Fate.NOT_OFFERED]:,} name no operation of the old contract"
        if self.unreadable:
            yield f"{self.unreadable:,} rows cannot be read"


def line(drifted: Drifted) -> dict[str, Any]:
    """The JSON line of one call that breaks."""
    return {
        "row": drifted.row,
        "reply": drifted.reply,
        "call": drifted.call,
        "operation": drifted.operation,
        "faults": [
            {"fault": fault.fault, "pointer": fault.pointer, "message": fault.message}
            for fault in drifted.faults
        ],
        "because": "; ".join(drifted.causes),
    }


def place(drifted: Drifted) -> str:
    """Where in the recording a call stands."""
    return f"row {drifted.row} reply {drifted.reply} call {drifted.call}"


def github(tally: Tally) -> str:
    """A summary in GitHub's Markdown, within the length of a comment.

    It says nothing of what the calls carried: a recording may hold what a pull request must not.
    """
    parts = [f"### {tally.verdict()}\n"]
    others = "; ".join(tally.others())
    if others:
        parts.append(f"{others}.\n")
    left = GITHUB_COMMENT.number - sum(map(len, parts)) - _ROOM_FOR_THE_REST
    causes = tally.by_cause()
    rows: list[str] = []
    details: list[str] = []
    for cause, group in causes:
        row, detail = _row(cause, group), _detail(cause, group)
        left -= len(row) + len(detail) + 2
        if left < 0:
            break
        rows.append(row)
        details.append(detail)
    if rows:
        table = "\n".join(["| calls | operations | because |", "| ---: | --- | --- |", *rows])
        parts += [f"{table}\n", "\n".join(details)]
    if len(rows) < len(causes):
        parts.append(f"\n… and {len(causes) - len(rows):,} more changes; `--json` has them all.\n")
    return "\n".join(parts)


def _row(cause: str, group: Group) -> str:
    return f"| {group.calls:,} | {_operations(group)} | {_words(cause)} |"


def _operations(group: Group) -> str:
    named = [_words(f"`{name}`") for name, _ in group.operations.most_common(_EXAMPLES)]
    more = len(group.operations) - len(named)
    return f"{', '.join(named)}{f' and {more} more' if more else ''}"


def _detail(cause: str, group: Group) -> str:
    shown = [
        f"- {_words(f'`{one.operation}`')}, {place(one)}: "
        + ", ".join(
            _words(f"{fault.fault.value.replace('_', ' ')} at `{fault.pointer or '/'}`")
            for fault in one.faults
        )
        for one in group.examples
    ]
    if (more := group.calls - len(shown)) > 0:
        shown.append(f"- … and {more:,} more")
    # the blank line makes GitHub read Markdown inside the element
    title = f"{group.calls:,} × {_words(cause, in_element=True)}"
    return "\n".join([f"<details><summary>{title}</summary>", "", *shown, "", "</details>"])


def _words(text: str, *, in_element: bool = False) -> str:
    """Text as text: no markup, mention, link or table cell of a model's or document's making.

    What stands between backticks becomes code; `in_element` is where GitHub reads HTML alone.
    """
    parts = " ".join(text.split()).split("`")
    paired = len(parts) % 2 == 1
    return "".join(
        _code(part, in_element=in_element) if paired and index % 2 else _plain(part)
        for index, part in enumerate(parts)
    )


def _code(text: str, *, in_element: bool) -> str:
    # within a span a pipe would still end the table's cell
    span = not in_element and text and "|" not in text
    return f"`{text}`" if span else f"<code>{_plain(text)}</code>"


def _plain(text: str) -> str:
    """Every character that Markdown could read as more than itself, as a character reference."""
    return _MARKUP.sub(lambda found: f"&#{ord(found[0])};", escape(text, quote=False))
