"""`plugin restart` and `plugin reload`: new workers for a running service, no answer dropped."""

import os
import signal
import time
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from plugin.server.status_file import Standing

Patience = Annotated[float, typer.Option("--timeout", min=1, help="Seconds to wait at most.")]

_LOOK = 0.05
_PATIENCE = 300.0


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(restart)
    app.command()(reload)


def restart(patience: Patience = _PATIENCE) -> None:
    """Replace the workers of the running service one by one, with the settings that it has.

    Answers under way run to their end. The exit code is 1 where the workers stay as they are.
    """
    from plugin.server.signals import RESTART

    _ask(RESTART, patience)
    typer.echo("restarted: every worker is a new one")


def reload(patience: Patience = _PATIENCE) -> None:
    """Have the running service read its settings again, and replace its workers one by one.

    Settings that are not allowed are refused, and the old ones stay: the exit code is 1 then. What
    does not take effect is printed as a warning.
    """
    from plugin.server.signals import RELOAD

    for line in _ask(RELOAD, patience).notes:
        typer.echo(f"warning: {line}", err=True)
    typer.echo("reloaded: the settings are read, and every worker is a new one")


def _ask(how: signal.Signals, patience: float) -> "Standing":
    """Ask the service, and return how it stands when it is done."""
    from plugin.exit_codes import FINDINGS

    before = _standing()
    os.kill(before.pid, how)
    deadline = time.monotonic() + patience
    # One that is under way may have begun before we asked.
    while (now := _standing()).ended <= before.begun:
        if time.monotonic() > deadline:
            typer.echo(f"not done after {patience:.0f} seconds; it goes on", err=True)
            raise typer.Exit(FINDINGS)
        time.sleep(_LOOK)
    if now.outcome:
        typer.echo(f"refused: {now.outcome}", err=True)
        raise typer.Exit(FINDINGS)
    return now


def _standing() -> "Standing":
    from plugin.errors import CannotRun
    from plugin.server import status_file
    from plugin.settings import data_dir

    directory = data_dir()
    standing = status_file.read(directory)
    if standing is None:
        raise CannotRun(
            f"no service runs on the data directory {directory}; give the PLUGIN_DATA_DIR that "
            "it was started with"
        )
    return standing
