"""The `plugin` command: one module a command group, heavy imports inside the commands."""

from importlib import import_module

import typer

_GROUPS = (
    "serve",
    "keys",
    "contract",
    "init",
    "tools",
    "lint",
    "judge",
    "mutate",
    "replay",
    "drift",
    "record",
    "auth_matrix",
)


def build() -> typer.Typer:
    """The command line with every group registered."""
    app = typer.Typer(
        name="plugin",
        help="Serve a plugin that models call, and judge and replay the calls they issue.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    for group in _GROUPS:
        import_module(f"plugin.cli.{group}").register(app)
    return app


def main() -> None:
    """Entry point of the `plugin` script."""
    from plugin.cli.terminal import fail
    from plugin.errors import CannotRun

    try:
        build()()
    except CannotRun as error:
        fail(error.detail)
