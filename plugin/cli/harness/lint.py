"""`plugin lint`: what a door demands and a document or manifest does not give."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urljoin, urlsplit

import typer

from plugin.exit_codes import FINDINGS, FINE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from plugin.contract.lint.finding import Finding
    from plugin.contract.lint.linter import Document
    from plugin.contract.lint.manifest import ManifestText

_COLOURS = {"error": "red", "warning": "yellow", "note": "cyan"}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(lint)


def lint(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SPEC|URL|MANIFEST", help="An OpenAPI document, an ai-plugin.json, or -."
        ),
    ],
    *,
    target: Annotated[
        str,
        typer.Option(help="actions, manifest, openai, openai-strict, responses, anthropic or mcp."),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON line per finding.")] = False,
) -> None:
    """Hold a document or a manifest to what a door demands; each limit with its source and date.

    Of a manifest, the target `manifest` is about itself, any other about the document that it
    names. Exit code 1 when there is an error; warnings and notes are for you to weigh.
    """
    from plugin.contract.lint.linter import lint as find

    findings = find(_subject(source, target), target)
    if as_json:
        _print_lines(findings)
    else:
        _print(findings, target)
    worst = {finding.level.value for finding in findings}
    raise typer.Exit(FINDINGS if "error" in worst else FINE)


def _subject(source: str, target: str) -> "Document | ManifestText":
    from plugin.contract.lint.linter import Document, inlined, read
    from plugin.transports.sources import load

    served_from = source if _is_url(source) else None
    subject = read(load(source), served_from)
    if target == "manifest" or isinstance(subject, Document):
        return subject
    return inlined(subject) or _named(subject, source)


def _named(manifest: "ManifestText", source: str) -> "Document":
    """The OpenAPI document that a manifest names: beside it, or where it says."""
    from plugin.contract.lint.linter import Document, read
    from plugin.contract.source import mapping, text
    from plugin.errors import CannotRun
    from plugin.transports.sources import load

    api = manifest.document.get("api")
    url = text(mapping(api).get("url")) or text(api)
    if not url:
        raise CannotRun("the manifest names no OpenAPI document: give the document itself")
    beside = Path(source).parent / urlsplit(url).path.rpartition("/")[2]
    if _is_url(source):
        place = urljoin(source, url)
    else:
        place = str(beside) if source != "-" and beside.is_file() else url
    found = read(load(place))
    if not isinstance(found, Document):
        raise CannotRun(f"{place} is no OpenAPI document: give the document itself")
    return found


def _is_url(source: str) -> bool:
    return source.startswith(("http://", "https://"))


def _print_lines(findings: "Sequence[Finding]") -> None:
    from plugin.contract.requests.payload import json_bytes

    out = typer.get_binary_stream("stdout")
    for finding in findings:
        out.write(json_bytes("finding", asdict(finding)) + b"\n")
    out.flush()


def _print(findings: "Sequence[Finding]", target: str) -> None:
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False, soft_wrap=True)
    for finding in findings:
        level = Text(f"{finding.level.value:<8}", style=_COLOURS[finding.level.value])
        console.print(level + Text(f" {finding.rule}  {_visible(finding.pointer or '/')}"))
        console.print(Text(f"         {_visible(finding.message)}"))
    _print_limits(console, findings)
    counts = [
        f"{count} {level}{'' if count == 1 else 's'}"
        for level in _COLOURS
        if (count := sum(finding.level.value == level for finding in findings))
    ]
    console.print(f"{', '.join(counts) or 'nothing to mend'} for {target}.")


def _print_limits(console: "Console", findings: "Sequence[Finding]") -> None:
    """What the rules stand on, each once."""
    told = dict.fromkeys(
        (finding.rule, finding.limit, finding.source, finding.as_of) for finding in findings
    )
    for rule, limit, source, as_of in told:
        shown = f"{limit:,}" if isinstance(limit, int) else limit
        console.print(f"{rule}: {shown} — {source}, as of {as_of}", style="dim", markup=False)
    if told:
        console.print()


def _visible(text: str) -> str:
    from plugin.harness.reports.text import visible

    return visible(text)
