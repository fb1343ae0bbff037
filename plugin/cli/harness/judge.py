"""`plugin judge`: what is wrong with the calls that a model issued."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from plugin.cli.harness.reports import Github, Html, Reports
from plugin.cli.terminal import fail
from plugin.exit_codes import FINDINGS, FINE

if TYPE_CHECKING:
    from plugin.harness.declared import Judges
    from plugin.harness.judge import Judge

Calls = Annotated[
    str,
    typer.Argument(metavar="CALLS", help="A file of recorded replies, or - for standard input."),
]

Openapi = Annotated[
    str | None, typer.Option(metavar="SPEC|URL", help="Judge by this OpenAPI document.")
]
Tools = Annotated[Path | None, typer.Option(metavar="FILE", help="Judge by this list of tools.")]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(judge)


def judge(
    calls: Calls,
    *,
    openapi: Openapi = None,
    tools: Tools = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON line per reply.")] = False,
    html: Html = None,
    github: Github = False,
) -> None:
    """Say of each recorded call what is wrong with it, if anything.

    Reads OpenAI (chat, legacy, Responses), Anthropic, Gemini, MCP and plain message lists, whole
    or streamed, and finds out which. Without --openapi or --tools, each call is judged by the tools
    that its own recorded request declared.
    """
    from plugin.harness.declared import Judges

    given = judge_by(openapi, tools)
    reports = Reports(calls, html, github=github, about="judge")
    with open_calls(calls) as stream:
        if as_json:
            findings = _print_json(stream, Judges(given), reports)
        else:
            with reports.text_is_no_command():
                findings = _print_text(stream, Judges(given), reports)
    reports.write(aside=as_json)
    raise typer.Exit(FINDINGS if findings else FINE)


@contextmanager
def open_calls(calls: str) -> Iterator[BinaryIO]:
    """A file of calls, opened; `-` is standard input."""
    if calls == "-":
        yield typer.get_binary_stream("stdin")
        return
    try:
        stream = Path(calls).open("rb")  # noqa: SIM115 - closed below
    except OSError as error:
        fail(f"cannot read {calls}: {error.strerror}; give a file of recorded calls, or -")
    with stream:
        if not stream.peek(1):  # a check of nothing must not look like a success
            fail(f"{calls} is empty; give a file of recorded calls, or -")
        yield stream


def judge_by(openapi: str | None, tools: Path | None) -> "Judge | None":
    """The judge of a document or of a list of tools; None where neither is given."""
    from plugin.harness.judge import Judge

    if openapi and tools:
        fail("--openapi and --tools exclude each other; give the one that the model was shown")
    if openapi:
        from plugin.contract import openapi as reader
        from plugin.contract.tools import names
        from plugin.transports.sources import load

        contract = reader.read(load(openapi))
        return Judge({name: op.schema for name, op in names(contract).items()})
    if tools:
        return Judge(_read_tools(tools))
    return None


def _read_tools(path: Path) -> dict[str, dict[str, object]]:
    import orjson

    from plugin.contract.declared import read_tools

    try:
        text = path.read_bytes()
    except OSError as error:
        fail(f"cannot read {path}: {error.strerror}")
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        try:
            value = [orjson.loads(line) for line in text.splitlines() if line.strip()]
        except orjson.JSONDecodeError as error:
            fail(f"{path} is not JSON: {error}")
    found = read_tools(value)
    if not found:
        fail(f"{path} holds no tools; expected a list of tools in any provider's shape")
    return found


def _print_json(stream: BinaryIO, judges: "Judges", reports: Reports) -> int:
    from plugin.harness import transcript
    from plugin.harness.json_text import dumps
    from plugin.harness.reports import text as report

    out, findings = typer.get_binary_stream("stdout"), 0
    for reply in transcript.read(stream):
        if isinstance(reply, transcript.Unreadable):
            line, wrong = report.unreadable_line(reply), True
            reports.add(reply, {})
        else:
            verdicts = judges.verdicts(reply)
            line = report.judged_line(reply, verdicts, judges.judge_of(reply))
            wrong = any(verdict.faults for verdict in verdicts)
            reports.add_judged(reply, verdicts, judges.judge_of(reply))
        findings += wrong
        out.write(dumps(line) + b"\n")
    out.flush()
    return findings


def _print_text(stream: BinaryIO, judges: "Judges", reports: Reports) -> int:
    from rich.console import Console

    from plugin.cli.harness.verdicts import Summary
    from plugin.harness import transcript
    from plugin.harness.reports import text as report

    summary = Summary(Console())
    for reply in transcript.read(stream):
        if isinstance(reply, transcript.Unreadable):
            summary.add_unreadable(reply)
            reports.add(reply, {})
        else:
            verdicts = judges.verdicts(reply)
            faults = report.document_faults(verdicts, judges.judge_of(reply))
            summary.add(reply, verdicts, faults)
            reports.add_judged(reply, verdicts, judges.judge_of(reply))
    summary.print()
    return summary.findings
