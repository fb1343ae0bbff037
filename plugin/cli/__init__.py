"""The `plugin` command: one module a command group, heavy imports inside the commands."""

from importlib import import_module
from typing import Annotated

import typer

_GROUPS = (
    "serve",
    "restart",
    "engine",
    "models",
    "keys",
    "limits",
    "usage",
    "ledger",
    "storage",
    "why",
    "gpt_api.api",
    "gpt_api.chat",
    "harness.contract",
    "harness.init",
    "harness.tools",
    "harness.lint",
    "harness.judge",
    "harness.mutate",
    "harness.replay",
    "harness.drift",
    "harness.record",
    "harness.auth_matrix",
)


def build() -> typer.Typer:
    """The command line with every group registered."""
    app = typer.Typer(
        name="plugin",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    app.callback()(_plugin)
    for group in _GROUPS:
        import_module(f"plugin.cli.{group}").register(app)
    return app


def _show_version(wanted: bool) -> None:  # noqa: FBT001 - Typer's form of a callback
    if wanted:
        from importlib.metadata import version

        typer.echo(f"gpt-plugin {version('gpt-plugin')}")
        raise typer.Exit


def _plugin(
    *,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Serve a plugin that models call, and judge and replay the calls they issue."""


def main() -> None:
    """Entry point of the `plugin` script."""
    from plugin.cli.terminal import fail
    from plugin.errors import CannotRun

    try:
        build()()
    except CannotRun as error:
        fail(error.detail)
