"""Acts of commands, written for the ledger; a failure is told on the terminal."""

from pathlib import Path
from typing import Any

import typer


def note_act(data_dir: Path, kind: str, subject: str, **detail: Any) -> None:
    """Write an act for the ledger; a failure is a warning, because the act itself is done."""
    from plugin.ledger import acts

    try:
        acts.note_act(data_dir, kind, subject, **detail)
    except OSError as error:
        typer.echo(f"warning: this act is not in the ledger: {error}", err=True)
