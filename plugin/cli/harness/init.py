"""`plugin init`: a working plugin of one's own to start from, with a test and recorded calls."""

import re
from collections.abc import Mapping
from keyword import iskeyword
from pathlib import Path
from typing import Annotated

import typer

_EXAMPLE = Path(__file__).parent / "example"
_LONGEST_TITLE = 20
_SUFFIX = ".txt"  # so that no tool takes the example for a part of this package

_FILES = {
    "README.md": "README.md",
    ".env": "env",
    ".gitignore": "gitignore",
    ".well-known/ai-plugin.json": "ai-plugin.json",
    "calls.jsonl": "calls.jsonl",
    "conftest.py": "conftest.py",
    "{package}/__init__.py": "init.py",
    "{package}/lengths.py": "lengths.py",
    "tests/test_lengths.py": "test_lengths.py",
}
"""Where each file of the example goes."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(init)


def init(
    directory: Annotated[
        Path, typer.Argument(metavar="DIR", help="A new directory; its name becomes the package's.")
    ],
) -> None:
    """Write a working example of a plugin of your own: operations, a test, recorded calls."""
    package = _package(directory)
    _check_free(directory)
    plugin, python = _commands()
    names = {
        "package": package,
        "title": package.replace("_", " ").title()[:_LONGEST_TITLE].strip(),
        "plugin": plugin,
        "pytest": f"{python} -m pytest",
    }
    _write(directory, names)
    typer.echo(f"wrote {directory}: the operations are in {directory / package}")
    typer.echo("next:")
    for step in _steps(directory, names, python):
        typer.echo(f"    {step}")


def _package(directory: Path) -> str:
    from importlib.util import find_spec

    from plugin.errors import CannotRun

    name = re.sub(r"\W+", "_", directory.absolute().name).strip("_").lower()
    if iskeyword(name) or not re.fullmatch(r"[a-z][a-z0-9_]{0,49}", name):
        raise CannotRun(
            f"{directory} names no Python package: begin with a letter, use A-Z, 0-9 and _, "
            "and no word of the language"
        )
    known = find_spec(name)
    if known is not None and known.origin is not None:  # a mere directory has no origin
        raise CannotRun(
            f"Python knows a module {name} already: choose another name than {directory}"
        )
    return name


def _check_free(directory: Path) -> None:
    from plugin.errors import CannotRun

    if directory.exists() and not directory.is_dir():
        raise CannotRun(f"{directory} is a file: nothing was written")
    if directory.is_dir() and any(directory.iterdir()):
        raise CannotRun(f"{directory} is not empty: nothing was written; name a new directory")


def _commands() -> tuple[str, str]:
    """How the one who reads this runs `plugin` and its Python."""
    import shlex
    import shutil
    import sys

    python = shlex.quote(sys.executable)
    started = Path(sys.argv[0]).absolute()
    if started.name != "plugin":
        return f"{python} -m plugin", python
    found = shutil.which("plugin")
    same = found is not None and Path(found).absolute() == started
    return "plugin" if same else shlex.quote(str(started)), python


def _write(directory: Path, names: Mapping[str, str]) -> None:
    from string import Template

    from plugin.api.well_known import LOGO
    from plugin.errors import CannotRun
    from plugin.settings import Settings

    logo = (Settings.model_construct().well_known_dir / LOGO).read_bytes()
    try:
        for target, source in _FILES.items():
            text = (_EXAMPLE / f"{source}{_SUFFIX}").read_text(encoding="utf-8")
            file = directory / target.format_map(names)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(Template(text).substitute(names), encoding="utf-8")
        (directory / ".well-known" / LOGO).write_bytes(logo)
    except OSError as error:
        raise CannotRun(f"{directory} cannot be written: {error.strerror}") from error


def _steps(directory: Path, names: Mapping[str, str], python: str) -> list[str]:
    import shlex
    from importlib.util import find_spec

    install = [] if find_spec("pytest") else [f"{python} -m pip install pytest"]
    return [
        f"cd {shlex.quote(str(directory))}",
        *install,
        names["pytest"],
        f"{names['plugin']} replay calls.jsonl",
        f"{names['plugin']} contract --write",
        f"{names['plugin']} up",
    ]
