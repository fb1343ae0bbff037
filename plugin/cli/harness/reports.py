"""The reports that `replay` and `judge` write beside what they print: a page, and for GitHub."""

import os
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from plugin.cli.terminal import fail

if TYPE_CHECKING:
    from plugin.contract.operation import Operation
    from plugin.harness.judge import Judge, Verdict
    from plugin.harness.replay import Replayed
    from plugin.harness.reports.findings import Findings
    from plugin.harness.transcript import Reply, Unreadable

Html = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Write one self-contained page as well.")
]
Github = Annotated[
    bool, typer.Option(help="Annotate the calls in GitHub Actions, and sum up in the step.")
]


class Reports:
    """Gathers what was found while calls go by, and writes it at the end, where asked to."""

    def __init__(
        self,
        calls: str,
        html: Path | None,
        *,
        github: bool,
        about: Literal["replay", "judge"] = "replay",
    ) -> None:
        self._calls = calls
        self._html = html
        self._github = github
        self._about = about
        self._findings: Findings | None = None

    @property
    def wanted(self) -> bool:
        """Whether any report is asked for."""
        return self._github or self._html is not None

    def add(self, event: "Replayed | Unreadable", operations: "Mapping[str, Operation]") -> None:
        """Count one event of a replay of these operations."""
        if self.wanted:
            from plugin.harness.reports.findings import promise_of

            self._gathered().add(event, promise_of(operations.get(getattr(event, "name", ""))))

    def add_judged(
        self, reply: "Reply", verdicts: "Sequence[Verdict]", judge: "Judge | None"
    ) -> None:
        """Count the verdicts on one reply."""
        if self.wanted:
            from plugin.harness.reports.findings import UNKNOWN, Promise, judged

            for index, verdict in enumerate(verdicts):
                tool = judge.tools.get(verdict.call.name) if judge else None
                promise = Promise(tool.written) if tool else UNKNOWN
                self._gathered().add(judged(reply, index, verdict), promise)

    @contextmanager
    def text_is_no_command(self) -> Iterator[None]:
        """Whatever is printed within is no command to GitHub's runner: models write anything."""
        if not self._github:
            yield
            return
        token = secrets.token_hex(16)
        typer.echo(f"::stop-commands::{token}")
        yield
        typer.echo(f"::{token}::")

    def write(self, against: str = "", *, aside: bool = False) -> None:
        """Write what was asked for. `aside` keeps standard output for the JSON lines."""
        if self._html:
            self._write_page(self._html, against)
        if self._github:
            self._write_for_github(aside)

    def _gathered(self) -> "Findings":
        from plugin.harness.reports.findings import Findings

        if self._findings is None:
            self._findings = Findings(self._about)
        return self._findings

    def _write_page(self, path: Path, against: str) -> None:
        from datetime import UTC, datetime

        from plugin.harness.reports.html import About, page

        made = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
        about = About(_named(self._calls), against, made)
        _write(path, page(self._gathered(), about), "wb", "give --html a file that can be written")

    def _write_for_github(self, aside: bool) -> None:  # noqa: FBT001 - passed on
        from plugin.harness.reports.annotations import annotations, summary
        from plugin.harness.transcript import rows_are_lines

        file = None if self._calls == "-" else self._calls
        lines = bool(file) and rows_are_lines(Path(self._calls).read_bytes())
        for command in annotations(self._gathered(), file, rows_are_lines=lines):
            typer.echo(command, err=aside)
        if target := os.environ.get("GITHUB_STEP_SUMMARY"):
            text = summary(self._gathered(), _named(self._calls))
            _write(
                Path(target), text.encode("utf-8", "replace"), "ab", "GITHUB_STEP_SUMMARY names it"
            )


def _named(calls: str) -> str:
    return "standard input" if calls == "-" else calls


def _write(path: Path, content: bytes, mode: Literal["wb", "ab"], advice: str) -> None:
    try:
        with path.open(mode) as stream:
            stream.write(content)
    except OSError as error:
        fail(f"cannot write {path}: {error.strerror}; {advice}")
