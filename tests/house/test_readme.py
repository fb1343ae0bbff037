"""Every command of the README runs, and prints what the README shows."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.journeys.running import surroundings

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"```sh\n(.*?)```(?:\n+```text\n(.*?)```)?", re.DOTALL)
MADE_ELSEWHERE = ("make ", ". .venv", "curl ")
"""Commands that the journeys run from an empty directory, with a server of their own."""


def _examples(readme: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for block, shown in BLOCK.findall((ROOT / readme).read_text("utf-8")):
        commands = [line for line in block.splitlines() if line and not line.startswith(" ")]
        found += [(command, shown) for command in commands]
    return found


@pytest.mark.parametrize("readme", ["README.md", "README.zh.md"])
def test_commands(readme: str, tmp_path: Path, weather: dict[str, str]) -> None:
    here = {"docs": ROOT / "docs", ".well-known": ROOT / ".well-known"}
    for name, target in here.items():
        (tmp_path / name).symlink_to(target)
    ran = 0
    for command, shown in _examples(readme):
        if command.startswith(MADE_ELSEWHERE):
            continue
        assert command.startswith("plugin "), f"the README shows an unknown command: {command}"
        ran += 1
        done = subprocess.run(  # noqa: S602 - the README's own line, as a user pastes it
            command.replace("plugin ", f"{sys.executable} -m plugin ", 1),
            shell=True,
            cwd=tmp_path,
            env=surroundings(weather),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode in (0, 1), f"{command}: {done.stderr}"
        if shown:
            assert done.stdout.split() == shown.split(), command
    assert ran >= 5


def test_both_languages_show_the_same_commands() -> None:
    english, chinese = _examples("README.md"), _examples("README.zh.md")
    assert [command for command, _ in english] == [command for command, _ in chinese]
