"""The command as a whole."""

from importlib.metadata import version

from typer.testing import CliRunner

from plugin.cli import build


def test_it_tells_its_version() -> None:
    ran = CliRunner().invoke(build(), ["--version"])
    assert (ran.exit_code, ran.output) == (0, f"gpt-plugin {version('gpt-plugin')}\n")


def test_without_a_command_it_shows_what_there_is() -> None:
    shown = CliRunner().invoke(build(), []).output
    for command in ("serve", "judge", "replay", "drift", "lint"):
        assert command in shown
