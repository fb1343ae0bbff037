"""`plugin engine` alone, and `plugin up` with an engine."""

import json
import re
import stat
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from plugin.cli.banner import banner
from plugin.engines.llama.process.state import FILE, EngineState, write_state
from plugin.settings import Settings
from tests.journeys.running import PLUGIN, free_port, plugin, running, surroundings, until


@contextmanager
def alone(directory: Path, port: int, *options: str) -> "Iterator[tuple[str, Any]]":
    """The engine's banner, and the process."""
    out = directory / "out.txt"
    with out.open("wb") as stdout:
        process = subprocess.Popen(  # noqa: S603 - our own command
            [*PLUGIN, "engine", "--port", str(port), *options],
            cwd=directory,
            env=surroundings(),
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.DEVNULL,
        )
    try:
        until(lambda: process.poll() is not None or "UPSTREAMS" in out.read_text())
        yield out.read_text(), process
    finally:
        process.terminate()
        process.wait(10)


def get(address: str, key: str) -> Any:
    call = urllib.request.Request(address, headers={"Authorization": f"Bearer {key}"})  # noqa: S310 - loopback
    with urllib.request.urlopen(call) as response:  # noqa: S310 - loopback
        return json.load(response)


def exported(shown: str) -> dict[str, str]:
    """What a shell makes of the printed lines."""
    lines = "\n".join(re.findall(r"export .*", shown))
    show = f'{sys.executable} -c "import json, os; print(json.dumps(dict(os.environ)))"'
    done = subprocess.run(["/bin/sh", "-ec", f"{lines}\n{show}"], capture_output=True, check=True)  # noqa: S603 - pasting is what is tested
    found: dict[str, str] = json.loads(done.stdout)
    return found


def test_alone_it_prints_what_another_service_needs_and_keeps_its_key(
    tmp_path: Path, model_places: tuple[Path, ...]
) -> None:
    assert model_places
    port, directory = free_port(), tmp_path / "it's a folder"
    directory.mkdir()
    with alone(directory, port, "--slots", "1", "--context", "512", "--threads", "1") as (
        shown,
        process,
    ):
        assert "Both models are English" in shown
        assert f"http://127.0.0.1:{port}/v1  smollm2-135m-instruct (1 x 512 tokens)" in shown
        file = directory / "data" / "engine-key"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert file.read_text().strip() not in shown
        told = exported(shown)
        assert told["PLUGIN_ENGINE"] == "none"
        for upstream in json.loads(told["PLUGIN_UPSTREAMS"]):
            models = get(f"{upstream['base_url']}/models", upstream["api_key"])
            assert [model["id"] for model in models["data"]] == upstream["models"]
        process.terminate()
        assert process.wait(10) == 0
    assert {path.name for path in (directory / "data").iterdir()} == {"engine-key"}
    key = file.read_text()
    with alone(directory, free_port(), "--slots", "1", "--context", "512"):
        assert file.read_text() == key


def test_alone_without_models_it_ends_with_one_line(tmp_path: Path) -> None:
    # a process of its own: the command sets up the log of the process that it runs in
    done = plugin(tmp_path, "engine", settings={"PLUGIN_MODEL_DIR": str(tmp_path)})
    assert done.returncode == 2
    assert "`plugin models fetch`" in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_banner_shows_the_engine_and_lines_that_export_the_key(tmp_path: Path) -> None:
    write_state(tmp_path / FILE, EngineState("ready"))
    (tmp_path / "first-key").write_text("gpk_1\n")
    settings = Settings(_env_file=None, data_dir=tmp_path, engine="embedded", port=8123)
    shown = banner(settings, "gpk_1", b'{"paths": {}}')
    [line] = re.findall(r"  engine +(.*)", shown)
    assert "smollm2-135m-instruct, all-minilm-l6-v2: both English" in line
    assert "for Chinese and for quality set PLUGIN_UPSTREAMS" in line
    told = exported(shown)
    assert told["OPENAI_BASE_URL"] == told["OPENAI_API_BASE"] == "http://127.0.0.1:8123/v1"
    assert told["OPENAI_API_KEY"] == "gpk_1"


@pytest.mark.long
def test_up_shows_the_engine_and_lines_that_export_a_key_which_works(
    tmp_path: Path, model_places: tuple[Path, ...]
) -> None:
    settings = {"PLUGIN_ENGINE": "embedded", "PLUGIN_MODEL_DIR": str(model_places[-1])}
    with running(tmp_path, "up", settings=settings) as service:
        shown = until(lambda: service.out if "openai 0.28" in service.out else "")
        [line] = re.findall(r"  engine +(.*)", shown)
        assert "smollm2-135m-instruct, all-minilm-l6-v2: both English" in line
        assert "for Chinese and for quality set PLUGIN_UPSTREAMS" in line
        told = exported(shown)
        base = f"http://127.0.0.1:{service.address.port}/v1"
        assert told["OPENAI_BASE_URL"] == told["OPENAI_API_BASE"] == base
        headers = {"Authorization": f"Bearer {told['OPENAI_API_KEY']}"}
        assert service.address.call("GET", "/todos", headers).status == 200


def test_the_banner_says_how_to_get_what_is_missing(tmp_path: Path) -> None:
    missing = EngineState("missing_models", "no files; `plugin models fetch` gets them")
    write_state(tmp_path / FILE, missing)
    settings = Settings(_env_file=None, data_dir=tmp_path, engine="embedded")
    [line] = re.findall(r"  engine +(.*)", banner(settings, "gpk_1", b'{"paths": {}}'))
    assert line == missing.detail


@pytest.mark.long
def test_up_says_in_one_line_how_to_get_what_is_missing(tmp_path: Path) -> None:
    settings = {"PLUGIN_ENGINE": "embedded", "PLUGIN_MODEL_DIR": str(tmp_path)}
    with running(tmp_path, "up", settings=settings) as service:
        shown = until(lambda: service.out if "openai 0.28" in service.out else "")
        [line] = re.findall(r"  engine +(.*)", shown)
        assert "`plugin models fetch`" in line
        assert service.stop() == 0
