"""What every command shares: how it ends, and how it says why."""

from typing import NoReturn

import typer

from plugin.exit_codes import CANNOT_RUN


def fail(message: str) -> NoReturn:
    """End with exit code 2 and one line that says what to do."""
    typer.echo(f"error: {' '.join(message.split())}", err=True)
    raise SystemExit(CANNOT_RUN)


def counted(number: int, noun: str, plural: str = "") -> str:
    """A number with its noun: `1 call`, `2 calls`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"
