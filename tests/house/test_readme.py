"""Every command of the README runs, and prints what the README shows."""

import os
import re
import shlex
import sys
from pathlib import Path

import pytest

from plugin.cli import main
from tests.journeys.running import surroundings
from tests.sizes import sized

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


@pytest.fixture
def here(tmp_path: Path, weather: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a user who has set nothing, with the files that the README names."""
    for name in ("docs", ".well-known"):
        (tmp_path / name).symlink_to(ROOT / name)
    monkeypatch.chdir(tmp_path)
    for name in set(os.environ) - set(given := surroundings(weather)):
        monkeypatch.delenv(name)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    return tmp_path


@pytest.mark.parametrize("readme", sized(["README.md"], ["README.md", "README.zh.md"]))
@pytest.mark.usefixtures("here")
def test_commands(
    readme: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    ran = 0
    for command, shown in _examples(readme):
        if command.startswith(MADE_ELSEWHERE):
            continue
        assert command.startswith("plugin "), f"the README shows an unknown command: {command}"
        ran += 1
        monkeypatch.setattr(sys, "argv", shlex.split(command))
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capfd.readouterr()
        assert ended.value.code in (None, 0, 1), f"{command}: {err}"
        if shown:
            assert out.split() == shown.split(), command
    assert ran >= 5


def test_both_languages_show_the_same_commands() -> None:
    english, chinese = _examples("README.md"), _examples("README.zh.md")
    assert [command for command, _ in english] == [command for command, _ in chinese]
    # what the Chinese page shows of an output is what the English page shows, which is checked
    for (command, one), (_, other) in zip(english, chinese, strict=True):
        assert other in ("", one), command
