"""The file `.env`: read as it is by dotenv, with the line of what is wrong."""

import os
from pathlib import Path

from dotenv.parser import parse_stream

from plugin.errors import CannotRun

FILE = ".env"


def check() -> None:
    """Raise `CannotRun` for a line that is no assignment; dotenv itself would leave it out."""
    for line, key, value, broken in _lines("strict"):
        if broken or (key is not None and value is None):
            raise CannotRun(f"{FILE} line {line}: this is not NAME=value; mend or remove the line")


def value_of(name: str) -> str | None:
    """What a setting is given, here or in the file, whatever is wrong with the others.

    An empty variable of the environment is the default, whatever the file says.
    """
    here = [value for given, value in os.environ.items() if given.upper() == name]
    return (here[0] if here else values().get(name)) or None


def values() -> dict[str, str]:
    """What the file says of each name (in upper case) that it gives a value."""
    last = {key.upper(): value for _, key, value, _ in _lines() if key}
    return {name: value for name, value in last.items() if value}


def emptied() -> set[str]:
    """The names that the environment gives an empty value: what the file says does not count."""
    return {name.upper() for name, value in os.environ.items() if not value}


def place_of(name: str) -> str:
    """Where the file gives a setting its value, in parentheses; nothing where it does not."""
    if any(given.upper() == name for given in os.environ):
        return ""  # the environment goes before the file
    lines = [line for line, key, value, _ in _lines() if key and key.upper() == name and value]
    return f" ({FILE} line {lines[-1]})" if lines else ""


def _lines(errors: str = "replace") -> list[tuple[int, str | None, str | None, bool]]:
    file = Path(FILE)
    if not file.is_file():
        return []
    with file.open(encoding="utf-8", errors=errors) as stream:
        bindings = list(parse_stream(stream))
    return [
        # blank lines before an assignment belong to it
        (one.original.line + _leading(one.original.string), one.key, one.value, one.error)
        for one in bindings
    ]


def _leading(text: str) -> int:
    return text[: len(text) - len(text.lstrip())].count("\n")
