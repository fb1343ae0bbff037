"""`plugin storage`: which database and which data directory belong together."""

from typing import Annotated

import typer

from plugin.cli.acts import note_act


def register(app: typer.Typer) -> None:
    """Add the command group."""
    storage = typer.Typer(
        no_args_is_help=True, help="Make a data directory and a database belong together."
    )
    storage.command("adopt")(adopt)
    # Typer runs a single command without its name unless the group has a callback.
    storage.callback()(_storage)
    app.add_typer(storage, name="storage")


def _storage() -> None:
    """Make a data directory and a database belong together."""


def adopt(*, yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False) -> None:
    """Use the data directory with this database from now on, even if it belonged to another one.

    Uploaded files that the database does not know go to a trash at the next start. They stay there
    for 7 days.
    """
    from plugin.settings import load
    from plugin.storage.identity import adopt as adopt_directory
    from plugin.storage.migrate import make_ready

    settings = load()
    pair = f"{settings.data_dir} with {settings.database}"
    if not yes:
        typer.confirm(f"Use {pair} from now on?", abort=True)
    make_ready(settings.data_dir, settings.database)
    before, now = adopt_directory(settings.data_dir, settings.database)
    if before == now:
        typer.echo(f"nothing to do: {pair} already belong together")
        return
    note_act(settings.data_dir, "storage adopted", now, before=before)
    typer.echo(f"{pair} belong together now")
