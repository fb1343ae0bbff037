"""The verdicts on a transcript as people read them: each wrong call, then the sum."""

from collections import Counter
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.markup import escape

from plugin.cli.terminal import counted
from plugin.harness.argument_schema import DocumentFault
from plugin.harness.judge import Verdict
from plugin.harness.reports.text import visible
from plugin.harness.transcript import Reply, Unreadable


class Summary:
    """Prints wrong calls as they come, and counts."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._formats: Counter[str] = Counter()
        self._kinds: Counter[str] = Counter()
        self._documents: Counter[str] = Counter()
        self._calls: Counter[str] = Counter()
        self._unreadable = 0

    @property
    def findings(self) -> int:
        """Wrong calls and rows that cannot be read."""
        return self._calls["wrong"] + self._unreadable

    def add_unreadable(self, row: Unreadable) -> None:
        """Count a row that cannot be read, and say why."""
        self._unreadable += 1
        self._say(f"[red]row {row.row} cannot be read:[/red] {escape(row.error)}")

    def add(
        self,
        reply: Reply,
        verdicts: Sequence[Verdict],
        faults: Iterable[tuple[str, DocumentFault]],
    ) -> None:
        """Count a reply; print its wrong calls."""
        self._formats[reply.format] += 1
        for tool, document_fault in faults:
            self._documents[f"{tool} {document_fault.pointer}: {document_fault.message}"] += 1
        for verdict in verdicts:
            judged = "wrong" if verdict.faults else "good"
            self._calls[judged if verdict.contract else "without a contract to judge by"] += 1
            if verdict.faults:
                self._print_call(reply, verdict)

    def print(self) -> None:
        """The sum."""
        if self.findings:
            self._console.print()
        for text in self._documents:
            self._say(f"[yellow]the tool's document is at fault:[/yellow] {escape(text)}")
        read = ", ".join(f"{count} {name}" for name, count in self._formats.most_common())
        calls, replies = self._calls.total(), self._formats.total()
        self._say(
            f"{counted(calls, 'call')} in {counted(replies, 'reply', 'replies')} ({read or 'none'})"
        )
        for judged, colour in (("good", "green"), ("wrong", "red")):
            self._say(f"[{colour}]{self._calls[judged]:>6}  {judged}[/{colour}]")
            if judged == "wrong":
                for kind, count in self._kinds.most_common():
                    self._say(f"{count:>12}  {kind}")
        if unjudged := self._calls["without a contract to judge by"]:
            self._say(f"{unjudged:>6}  without a contract: give one with --openapi or --tools")
        if self._unreadable:
            self._say(f"[red]{self._unreadable:>6}  rows that cannot be read[/red]")

    def _print_call(self, reply: Reply, verdict: Verdict) -> None:
        place = f"row {reply.row} reply {reply.index}"
        self._say(f"[bold]{escape(verdict.call.name)}[/bold]  {place}")
        for fault in verdict.faults:
            self._kinds[fault.fault] += 1
            self._say(f"    [red]{fault.fault}[/red]  {escape(fault.message)}")

    def _say(self, text: str) -> None:
        self._console.print(visible(text), highlight=False, soft_wrap=True)
