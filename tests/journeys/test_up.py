"""From an empty directory to a running service, and what is done to it, on a user's machine."""

import json
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
from pathlib import Path

import pytest

from tests.journeys.in_process import plugin_here
from tests.journeys.late_weather import assert_a_stop_lets_it_finish
from tests.journeys.running import (
    PATIENCE,
    PLUGIN,
    Running,
    Settings,
    bearer,
    free_port,
    plugin,
    running,
    surroundings,
    until,
)
from tests.open_meteo import OpenMeteo

KEY = re.compile(r"gpk_[0-9A-Za-z]{36}")
ONE_LINE = re.compile(r"error: [^\n]+\n")


def banner(started: Running) -> str:
    """What `plugin up` prints once it answers."""
    return until(lambda: started.out if "OPENAI_API_BASE" in started.out else "")


def test_from_an_empty_directory_to_a_second_start(
    tmp_path: Path, open_meteo: OpenMeteo, weather: Settings
) -> None:
    assert_nothing_runs(plugin_here(tmp_path, "restart"), "data")
    data, here = tmp_path / "elsewhere" / "data", tmp_path / "it's a folder"
    here.mkdir()
    settings = {**weather, "PLUGIN_DATA_DIR": str(data)}
    with running(here, "up", settings=settings) as started:
        printed = banner(started)
        key = assert_addresses_and_key_work(started, printed)
        assert_curl_line_works(printed)
        assert_a_stop_lets_it_finish(started, key, open_meteo, signal.SIGINT)
        assert started.out.endswith("stopped\n")
    # everything is in the data directory
    assert {file.name for file in here.iterdir()} == {"out.txt", "err.txt"}
    assert "plugin.db" in {file.name for file in data.iterdir()}
    assert stat.S_IMODE(data.stat().st_mode) == 0o700
    # a second start says where the key is
    with running(here, "up", settings=settings) as started:
        printed = banner(started)
        assert not KEY.search(printed)
        named = re.search(r"in (/\S+)", printed)
        assert named
        file = Path(named[1])
        assert file.read_text().strip() == key
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert started.address.call("GET", "/todos", bearer({"key": key})).status == 200
        acts = what_is_done_to_it(here, settings)
    assert key not in started.err + acts
    # without a service there is nothing to restart: this one has ended, that one was killed
    assert_nothing_runs(plugin_here(here, "restart", settings=settings), str(data))
    (data / "service.json").write_text('{"pid": 1}')
    assert_nothing_runs(plugin_here(here, "reload", settings=settings), str(data))


def what_is_done_to_it(here: Path, settings: Settings) -> str:
    """What operators do to a running service stands in its ledger."""
    assert plugin_here(here, "reload", settings=settings).returncode == 0
    (here / ".env").write_text("PLUGIN_BODY_LIMIT=lots\n")
    assert plugin_here(here, "reload", settings=settings).returncode == 1
    (here / ".env").unlink()
    assert plugin_here(here, "restart", settings=settings).returncode == 0
    shown = plugin_here(here, "ledger", "acts", "--json", settings=settings)
    first, *others = json.loads(shown.stdout)
    assert (first["act"], first["detail"]) == (
        "key created",
        {"name": "first key", "scopes": ["*"]},
    )
    assert [(act["act"], act["subject"], act["detail"]["refused"]) for act in others] == [
        ("settings reloaded", "service", False),
        ("settings reloaded", "service", True),
        ("workers restarted", "service", False),
    ]
    return shown.stdout


def assert_nothing_runs(refused: "subprocess.CompletedProcess[str]", data: str) -> None:
    assert refused.returncode == 2
    assert f"no service runs on the data directory {data}" in refused.stderr


def assert_addresses_and_key_work(started: Running, printed: str) -> str:
    """What is printed answers; the key that is printed."""
    base = f"http://127.0.0.1:{started.address.port}"
    for path in ("/.well-known/ai-plugin.json", "/openapi.json", "/docs"):
        assert f"{base}{path}\n" in printed
        assert started.address.call("GET", path).status == 200
    manifest = started.address.call("GET", "/.well-known/ai-plugin.json").json()
    assert manifest["api"]["url"] == f"{base}/openapi.json"
    assert f"export OPENAI_API_BASE={base}/v1" in printed
    [key] = KEY.findall(printed)
    found = started.address.call("GET", "/todos", bearer({"key": key}))
    assert (found.status, found.json()["total"]) == (200, 0)
    assert started.address.call("GET", "/todos").status == 401
    return str(key)


def assert_curl_line_works(printed: str) -> None:
    """The line of curl works when it is pasted, where there is a curl."""
    if not shutil.which("curl"):
        return
    line = next(line for line in printed.splitlines() if " curl " in line)
    pasted = line[line.index("curl") :]
    done = subprocess.run(  # noqa: S602 - pasting into a shell is what is tested
        f"{pasted} --silent --fail", shell=True, capture_output=True, text=True, check=True
    )
    assert '"todos":[]' in done.stdout


@pytest.mark.long  # in the gate, tests/cli/test_serve.py has a port in use
def test_a_port_in_use_is_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused = plugin(tmp_path, "up", "--port", str(port))
    assert refused.returncode == 2
    assert ONE_LINE.fullmatch(refused.stderr), refused.stderr
    assert str(port) in refused.stderr
    assert "PLUGIN_PORT" in refused.stderr
    assert not refused.stdout
    assert not list(tmp_path.iterdir())


@pytest.mark.long  # in the gate, tests/cli/test_serve.py has a directory that is read only
def test_a_data_directory_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    directory = tmp_path / "locked"
    directory.mkdir(mode=0o555)
    refused = subprocess.run(  # noqa: S603 - our own command
        [*as_ordinary_user(), *PLUGIN, "up", "--port", str(free_port())],
        cwd=tmp_path,
        env=surroundings({"PLUGIN_DATA_DIR": str(directory / "data")}),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert refused.returncode == 2
    assert ONE_LINE.fullmatch(refused.stderr), refused.stderr
    assert str(directory) in refused.stderr
    assert "PLUGIN_DATA_DIR" in refused.stderr


def as_ordinary_user() -> list[str]:
    """What takes from root the right to pass over file modes; nothing for anybody else."""
    if os.geteuid() != 0:
        return []
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        pytest.skip("root passes over file modes, and setpriv is not here to stop it")
    return [setpriv, "--bounding-set=-dac_override,-dac_read_search"]
