"""`plugin contract`: what this code promises, against the committed copies of the promise."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from plugin.exit_codes import FINDINGS

if TYPE_CHECKING:
    from plugin.contract.compare import Change

_COPY = "openapi.json"
_SHOWN = 3

Directory = Annotated[
    Path | None,
    typer.Option(help="The folder of ai-plugin.json and openapi.json; .well-known by default."),
]
Operations = Annotated[
    str | None,
    typer.Option(
        help="Comma-separated packages of operations, beside the built-in ones; "
        "PLUGIN_OPERATIONS by default."
    ),
]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(contract)


def contract(
    directory: Directory = None,
    operations: Operations = None,
    *,
    check: Annotated[bool, typer.Option("--check", help="Compare; this is the default.")] = False,
    write: Annotated[bool, typer.Option("--write", help="Update the committed copies.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the changes as JSON.")] = False,
) -> None:
    """Compare the manifest and openapi.json, at default settings, with the committed copies.

    Says what changed and whether it breaks callers. Exit code 1 when something changed.
    """
    if check and write:
        raise typer.BadParameter("--check and --write exclude each other")
    folder, openapi, manifest = _promised(directory, operations)
    if write:
        _refuse_shipped(folder, directory)
        _update(folder, openapi, manifest)
        return
    changes = _changes(folder, openapi, manifest)
    if as_json:
        typer.echo(json.dumps([asdict(change) for change in changes], ensure_ascii=False))
    else:
        _tell(changes, folder)
    if changes:
        raise typer.Exit(FINDINGS)


def _refuse_shipped(folder: Path, directory: Path | None) -> None:
    """Copies are written where one is, never into an installed package."""
    from plugin.errors import CannotRun

    if directory is None and folder.absolute().parent != Path.cwd():
        raise CannotRun(
            "there is no .well-known here to write to; go where it is, or name it with --directory"
        )


def _promised(
    directory: Path | None, operations: str | None
) -> tuple[Path, dict[str, Any], dict[str, Any]]:
    from importlib.metadata import version

    from plugin.api import documents, well_known
    from plugin.operations import discover
    from plugin.settings import Offer, Settings, load_offer

    # Which operations there are is the promise itself; all other settings are at their defaults.
    offer = load_offer() if operations is None else Offer.model_validate({"operations": operations})
    defaults = Settings.model_construct()
    folder = directory or defaults.well_known_dir
    server = defaults.base_url
    known = well_known.load(folder, server)
    openapi = documents.build(
        discover(offer.operations, offer.built_in),
        title=known.name,
        server=server,
        version=version("gpt-plugin"),
    )
    return folder, openapi, known.manifest


def _changes(folder: Path, openapi: dict[str, Any], manifest: dict[str, Any]) -> "list[Change]":
    from plugin.api import documents, well_known
    from plugin.contract import compare
    from plugin.contract.openapi import read

    committed = _committed(folder / _COPY)
    changes = compare.contracts(read(json.dumps(committed)), read(documents.write(openapi)))
    if not changes and committed != openapi:
        changes.append(
            compare.Change(_COPY, "something changed that no caller sees", breaking=False)
        )
    return [*changes, *compare.manifests(well_known.read(folder), manifest)]


def _committed(file: Path) -> Any:
    from plugin.errors import CannotRun

    try:
        return json.loads(file.read_bytes())
    except OSError as error:
        raise CannotRun(
            f"{file} cannot be read ({error.strerror}): `plugin contract --write` makes it"
        ) from error
    except ValueError as error:
        raise CannotRun(
            f"{file} is not JSON ({error}): `plugin contract --write` makes it anew"
        ) from error


def _update(folder: Path, openapi: dict[str, Any], manifest: dict[str, Any]) -> None:
    from plugin.api import documents, well_known

    for name, document in ((_COPY, openapi), (well_known.MANIFEST, manifest)):
        (folder / name).write_bytes(documents.write_copy(document))
        typer.echo(f"wrote {folder / name}")


def _tell(changes: "Sequence[Change]", folder: Path) -> None:
    for (breaking, what), places in _grouped(changes).items():
        effect = "breaks callers" if breaking else "harmless"
        more = f" and {len(places) - _SHOWN} more" if len(places) > _SHOWN else ""
        typer.echo(f"{effect}: {', '.join(places[:_SHOWN])}{more}: {what}")
    if not changes:
        typer.echo(f"the contract is as committed in {folder}")
        return
    said = f"{len(changes)} changes, {sum(one.breaking for one in changes)} of them breaking"
    typer.echo(f"{said}; `plugin contract --write` updates the copies", err=True)


def _grouped(changes: "Sequence[Change]") -> dict[tuple[bool, str], list[str]]:
    """Where the same thing changed: a shared schema is in many operations."""
    groups: dict[tuple[bool, str], list[str]] = {}
    for change in changes:
        groups.setdefault((change.breaking, change.what), []).append(change.where)
    return groups
