import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from plugin.contract import manifest
from tests.cli.conftest import Plugin
from tests.sizes import sized

PROJECT = Path(__file__).parents[3]
STARTED = re.compile(r"openapi\s+(http\S+)")


def run(directory: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - commands of this test
        command,
        cwd=directory,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PLUGIN_")}
    # the example's tests run as a stranger's: none of this project's pytest settings
    own = {"PLUGIN_PORT": "0", "PLUGIN_ENGINE": "none", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    return kept | own


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A written example, and the steps that were printed."""
    root = tmp_path_factory.mktemp("init")
    done = run(root, sys.executable, "-m", "plugin", "init", "My-Lengths")
    assert done.returncode == 0, done.stderr
    printed = done.stdout.partition("next:\n")[2]
    return root, [line.strip() for line in printed.splitlines()]


def test_it_writes_a_package_a_test_calls_and_a_manifest(example: tuple[Path, list[str]]) -> None:
    directory = example[0] / "My-Lengths"
    written = {str(file.relative_to(directory)) for file in directory.rglob("*") if file.is_file()}
    assert written >= {
        *(".env", ".gitignore", "README.md", "calls.jsonl", "conftest.py"),
        *(".well-known/ai-plugin.json", ".well-known/logo.png", "tests/test_lengths.py"),
        *("my_lengths/__init__.py", "my_lengths/lengths.py"),
    }
    settings = (directory / ".env").read_text().split()
    assert settings == ["PLUGIN_OPERATIONS=my_lengths", "PLUGIN_BUILT_IN=none"]
    made = json.loads((directory / ".well-known" / "ai-plugin.json").read_text())
    assert made["name_for_model"] == "my_lengths"
    assert manifest.strict(made) == []
    assert "$" not in (directory / "README.md").read_text()


OURS = f"{sys.executable} -m plugin "


@pytest.fixture
def beside(example: tuple[Path, list[str]]) -> Iterator[None]:
    """Let this process import the package of the example, as `python -m` in its folder does."""
    with pytest.MonkeyPatch.context() as patched:
        patched.syspath_prepend(example[0] / "My-Lengths")
        yield
    for name in [name for name in sys.modules if name.partition(".")[0] == "my_lengths"]:
        del sys.modules[name]


@pytest.mark.usefixtures("beside")
def test_the_printed_steps_work_as_printed(example: tuple[Path, list[str]], plugin: Plugin) -> None:
    root, steps = example
    assert steps[0] == "cd My-Lengths"
    assert steps[-1].endswith(" up")
    # within this process our own commands cost a tenth
    ours = [step for step in steps[1:-1] if step.startswith(sized(OURS, "no step"))]
    others = [step for step in steps[:-1] if step not in ours]
    done = run(root, "/bin/sh", "-c", "\n".join(["set -e", *others]))
    assert done.returncode == 0, done.stdout + done.stderr
    said = done.stdout
    for step in ours:
        ran = plugin(root / "My-Lengths", *shlex.split(step.removeprefix(OURS)))
        assert ran.returncode == 0, ran.stdout + ran.stderr
        said += ran.stdout
    assert "3 passed" in said
    assert re.search(r"3\s+Passed", said)
    promised = root / "My-Lengths" / ".well-known"
    paths = json.loads((promised / "openapi.json").read_text())["paths"]
    assert "/lengths/convert" in paths
    assert "/todos" not in paths
    assert json.loads((promised / "ai-plugin.json").read_text())["name_for_human"] == "My Lengths"


@pytest.mark.long
def test_the_last_step_serves_the_operations(example: tuple[Path, list[str]]) -> None:
    root, steps = example
    log = root / "up.log"
    with log.open("w") as output:
        serving = subprocess.Popen(  # noqa: S603 - the printed step
            ["/bin/sh", "-c", f"exec {steps[-1]}"],
            cwd=root / "My-Lengths",
            env=environment(),
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        address = _wait_for_address(log, serving)
        document = get(address)
        assert "/lengths/convert" in document["paths"]
        assert "/todos" not in document["paths"]
        made = get(address.replace("openapi.json", ".well-known/ai-plugin.json"))
        assert made["name_for_human"] == "My Lengths"
    finally:
        serving.send_signal(signal.SIGINT)
        assert serving.wait(20) == 0


def get(address: str) -> Any:
    with urllib.request.urlopen(address, timeout=10) as reply:  # noqa: S310 - printed by ourselves
        return json.load(reply)


def _wait_for_address(log: Path, serving: subprocess.Popen[bytes]) -> str:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        found = STARTED.search(log.read_text())
        if found:
            return found[1]
        assert serving.poll() is None, log.read_text()
        time.sleep(0.05)
    raise AssertionError(log.read_text())


def test_the_example_is_as_clean_as_this_project(example: tuple[Path, list[str]]) -> None:
    directory = example[0] / "My-Lengths"
    options = (
        *("--config", str(PROJECT / "pyproject.toml")),
        *("--config", "lint.isort.known-first-party=['my_lengths', 'plugin']"),
    )
    for command in (("format", "--check"), ("check",)):
        done = run(directory, sys.executable, "-m", "ruff", *command, *options, ".")
        assert done.returncode == 0, done.stdout


def test_nothing_is_overwritten(
    plugin: Plugin, example: tuple[Path, list[str]], tmp_path: Path
) -> None:
    root, _ = example
    again = plugin(root, "init", "My-Lengths")
    assert again.returncode == 2
    assert "is not empty: nothing was written" in again.stderr

    (tmp_path / "file").write_text("mine")
    assert plugin(tmp_path, "init", "file").returncode == 2
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize(
    ("name", "why"),
    [("json", "a module json already"), ("plugin", "a module plugin"), ("1st", "names no Python")],
)
def test_a_name_that_would_not_work_is_refused(
    plugin: Plugin, tmp_path: Path, name: str, why: str
) -> None:
    done = plugin(tmp_path, "init", name)
    assert done.returncode == 2
    assert why in done.stderr
    assert not (tmp_path / name).exists()


def test_an_empty_directory_is_as_good_as_none(plugin: Plugin, tmp_path: Path) -> None:
    (tmp_path / "weights").mkdir()
    assert plugin(tmp_path, "init", "weights").returncode == 0
