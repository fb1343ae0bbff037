"""`plugin tools`: an OpenAPI document as tools for one target."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from plugin.cli.terminal import counted

if TYPE_CHECKING:
    from plugin.contract.tools import ToolSet

_LONGEST_TEXT = 160

_SHOWN = 20
"""Reasons that the readable output prints before it only counts them."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(tools)


def tools(
    source: Annotated[
        str, typer.Argument(metavar="SPEC|URL", help="An OpenAPI document, or - for stdin.")
    ],
    *,
    target: Annotated[
        str, typer.Option(help="openai, openai-strict, responses, anthropic or mcp.")
    ] = "openai",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Turn each operation of an OpenAPI document into a tool.

    What a target cannot express is listed with its reason, never emitted in part or invalid.
    """
    from plugin.contract.openapi import read
    from plugin.contract.tools import make_tools
    from plugin.transports.sources import load

    made = make_tools(read(load(source)), target)
    if as_json:
        _write(made)
    else:
        _print(made, target)


def _write(made: "ToolSet") -> None:
    """One object on one line, one tool at a time: a set can be larger than memory should be."""
    from plugin.contract.requests.payload import json_bytes

    operations = {
        name: {
            "method": operation.method,
            "path": operation.path,
            "operation_id": operation.operation_id,
        }
        for name, operation in made.operations.items()
    }
    rest = {
        "operations": operations,
        "skipped": _notes(made.skipped),
        "notes": _notes(made.notes),
    }
    out = typer.get_binary_stream("stdout")
    out.write(b'{"tools":[')
    for index, tool in enumerate(made.tools):
        out.write(b"," * bool(index) + json_bytes("tool", tool))
    out.write(b"]," + json_bytes("tools", rest)[1:] + b"\n")


def _notes(notes: Any) -> list[dict[str, str]]:
    return [{"pointer": note.pointer, "reason": note.reason} for note in notes]


def _print(made: "ToolSet", target: str) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from plugin.contract.requests.payload import json_bytes
    from plugin.contract.words import describe

    console = Console(highlight=False)
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("tool", overflow="fold", style="green")
    table.add_column("call, and what it does", overflow="fold")
    for name, operation in made.operations.items():
        what = describe(operation, _LONGEST_TEXT).partition("\n")[0]
        call = f"{operation.method} {operation.path}"
        table.add_row(name, Text.assemble(call, "" if what == call else f"\n{what}"))
    if made.operations:
        console.print(table)
        console.print()
    size = sum(len(json_bytes("tool", tool)) for tool in made.tools)
    console.print(f"{counted(len(made.tools), 'tool')} for {target}, {size:,} bytes of JSON.")
    _print_notes(console, made.skipped, "operation", "skipped")
    _print_notes(console, made.notes, "part", "left out")


def _print_notes(console: Any, notes: Any, what: str, how: str) -> None:
    if not notes:
        return
    console.print(f"\n{counted(len(notes), what)} {how}:", style="bold")
    for note in notes[:_SHOWN]:
        console.print(f"  {note.pointer}\n    {note.reason}", markup=False, soft_wrap=True)
    if len(notes) > _SHOWN:
        console.print(f"  and {len(notes) - _SHOWN} more; --json lists them all")
