"""A run as GitHub Actions shows it: annotations at the lines of the recording, and a summary."""

from collections.abc import Iterator

from plugin.harness.replay import Outcome
from plugin.harness.reports.findings import Findings, Kept, Kind
from plugin.harness.reports.text import explanation, visible

_MOST = 10
"""GitHub shows no more errors of one step (docs.github.com, "Workflow commands", 2026-11)."""

_MOST_ROWS = 100
_LONGEST = 300
_BLAMED = (Outcome.SERVICE_BROKE_CONTRACT, Outcome.CALL_WAS_WRONG)
_MARKUP = str.maketrans({mark: f"&#{ord(mark)};" for mark in "&<>\\`*_{}[]()#|~@!\n"})


def annotations(findings: Findings, file: str | None, *, rows_are_lines: bool) -> list[str]:
    """Workflow commands, the service's failures first; calls that went wrong alike share one.

    `file` is None where the calls came from no file. Few failures get a command each.
    """
    failed = [(kind, kept) for outcome in _BLAMED for kind, kept in findings.of(outcome)]
    each = sum(findings.kinds[kind] for kind, _ in failed) + findings.unreadable_count <= _MOST
    place = _Place(file, rows_are_lines)
    commands = [
        place.command("error", row.row, "a row cannot be read", row.error)
        for row in findings.unreadable[: None if each else 1]
    ]
    for kind, kept in failed:
        more = 0 if each else findings.kinds[kind] - 1
        shown = kept if each else kept[:1]
        commands += [place.command("error", *_said(findings, kind, one, more)) for one in shown]
    if len(commands) > _MOST:
        left = len(commands) - _MOST + 1
        last = place.command("error", None, "more", f"{left} more kinds of failure: see the log")
        commands = [*commands[: _MOST - 1], last]
    unsent = findings.counts[Outcome.NOT_SENT]
    if unsent and findings.about == "replay":
        commands.append(place.command("notice", None, "not sent", f"{unsent} calls were not sent"))
    return commands


def summary(findings: Findings, calls: str) -> str:
    """What a step's summary says, in Markdown."""
    counts = findings.counts
    titles = findings.titles
    outcomes = [outcome for outcome in titles if counts[outcome]]
    lines = [
        f"### {_plain(findings.verdict())}",
        "",
        f"{counts.total():,} calls of {_plain(calls)}",
    ]
    if outcomes:
        lines += ["", _row("operation", *(titles[outcome] for outcome in outcomes))]
        lines += [_row(":--", *("--:" for _ in outcomes))]
    for name, found in list(findings.by_operation.items())[:_MOST_ROWS]:
        lines.append(_row(_plain(name), *(f"{found[outcome]:,}" for outcome in outcomes)))
    lines += ["", *_failures(findings)]
    if findings.unreadable_count:
        lines.append(f"- **{findings.unreadable_count:,} rows cannot be read**")
    return "\n".join(lines).rstrip() + "\n"


def _failures(findings: Findings) -> Iterator[str]:
    failed = [(kind, kept) for outcome in _BLAMED for kind, kept in findings.of(outcome)]
    for kind, kept in failed[:_MOST_ROWS]:
        row, title, why = _said(findings, kind, kept[0], findings.kinds[kind] - 1)
        yield f"- **{_plain(title)}** (row {row}): {_plain(why)}"
    if len(failed) > _MOST_ROWS:
        yield f"- … and {len(failed) - _MOST_ROWS:,} more kinds of failure"


def _said(findings: Findings, kind: Kind, kept: Kept, more: int) -> tuple[int, str, str]:
    title = findings.titles[kind.outcome]
    why = "; ".join(explanation(kept.event)) or title
    alike = f" (and {more:,} more calls like this)" if more else ""
    shortened = why if len(why) <= _LONGEST else f"{why[:_LONGEST]}…"
    return (
        kept.event.row,
        f"{kept.event.name}: {title[0].lower()}{title[1:]}",
        f"{shortened}{alike}",
    )


class _Place:
    def __init__(self, file: str | None, rows_are_lines: bool) -> None:  # noqa: FBT001 - passed on
        self._file = file
        self._rows_are_lines = rows_are_lines

    def command(self, level: str, row: int | None, title: str, message: str) -> str:
        """One workflow command."""
        properties = {"file": self._file, "line": "", "title": title}
        if row is not None and self._file:
            if self._rows_are_lines:
                properties["line"] = str(row)
            else:
                message = f"row {row}: {message}"
        written = ",".join(
            f"{key}={_property(value)}" for key, value in properties.items() if value
        )
        return f"::{level} {written}::{_data(message)}"


def _data(text: str) -> str:
    """A message as the runner decodes it: it cannot end the command and start another."""
    quoted = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    return visible(quoted)


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _plain(text: str) -> str:
    """Text that is neither Markdown nor HTML, on one line."""
    return visible(text).translate(_MARKUP)
