"""Settings are read again: good ones count, bad ones are refused and the old ones stay."""

import asyncio
import json
import os
import pty
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.journeys.in_process import plugin_here
from tests.journeys.running import (
    PATIENCE,
    PLUGIN,
    Running,
    Settings,
    answers,
    free_port,
    plugin,
    prepare_data,
    surroundings,
    until,
)
from tests.journeys.streaming import Shared
from tests.journeys.upstreams import Upstreams

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")

NOT_ALLOWED = (
    ("\nPLUGIN_BODY_LIMIT=lots\n", "PLUGIN_BODY_LIMIT (.env line 2): 'lots' is not allowed"),
    ("PLUGIN_BODY_LIMIT=4096\nwhat is this\n", ".env line 2: this is not NAME=value"),
    ("PLUGIN_OPERATIONS=no_such_package\n", "no_such_package"),
)
GOOD = "# ours\n\nPLUGIN_BODY_LIMIT=2048\n"


def limit(started: Running) -> int:
    """The body limit that counts."""
    answer = started.address.call("POST", "/todos", {"content-length": "99999999"})
    text: str = json.loads(answer.body)["detail"]
    return int(next(word for word in text.split() if word.isdigit()))


@dataclass
class OnTerminal:
    """A service that was started on a terminal of its own."""

    directory: Path
    running: Running
    terminal: int


@contextmanager
def on_terminal(directory: Path, settings: Settings) -> Iterator[OnTerminal]:
    """Run `plugin serve` on a terminal that is closed at the end, if it is still there."""
    ours, theirs = pty.openpty()
    port, out, err = free_port(), directory / "out.txt", directory / "err.txt"
    prepare_data(directory, settings)
    with out.open("wb") as stdout, err.open("wb") as stderr:
        process = subprocess.Popen(  # noqa: S603 - our own command
            ["setsid", "--ctty", *PLUGIN, "serve", "--port", str(port)],  # noqa: S607
            cwd=directory,
            env=surroundings(settings),
            stdin=theirs,
            stdout=stdout,
            stderr=stderr,
        )
    os.close(theirs)
    started = OnTerminal(directory, Running(process, port, out, err), ours)
    try:
        until(lambda: answers(started.running))
        yield started
    finally:
        process.kill()
        process.wait()
        with suppress(OSError):  # a test has closed it
            os.close(ours)


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory, upstreams: Upstreams) -> Iterator[OnTerminal]:
    """Two workers; each test has the service read other settings, and leaves them in force."""
    directory = tmp_path_factory.mktemp("reloaded")
    (directory / ".env").write_text("PLUGIN_WORKERS=2\n")
    settings = {"PLUGIN_UPSTREAMS": json.dumps(upstreams.settings())}
    with on_terminal(directory, settings) as service:
        yield service


@pytest.fixture(scope="module")
def upstreams() -> Upstreams:
    return Upstreams("streams")


@pytest.fixture
def service(started: OnTerminal, upstreams: Upstreams) -> Shared:
    return Shared(started, upstreams)


def settings_of(service: Shared) -> Path:
    return service.directory / ".env"


def test_what_is_allowed_counts_and_what_counts_at_a_start_alone_is_told(service: Shared) -> None:
    until(lambda: len(service.workers) == 2)
    before = set(service.workers)
    assert limit(service.running) == 1_048_576
    settings_of(service).write_text(f"{GOOD}PLUGIN_DATA_DIR=other\nPLUGIN_PROT=1\n")
    done = plugin(service.directory, "reload", settings={"PLUGIN_DATA_DIR": "data"})
    assert done.returncode == 0
    assert done.stderr.splitlines() == [
        "warning: PLUGIN_DATA_DIR has changed. That takes effect after a stop and a start.",
        "warning: PLUGIN_PROT is not a setting and is ignored; did you mean PLUGIN_PORT?",
    ]
    assert "PLUGIN_DATA_DIR has changed" in service.running.err
    assert not (service.directory / "other").exists()
    assert [limit(service.running) for _ in range(8)] == [2048] * 8
    until(lambda: len(service.workers) == 1 and before.isdisjoint(service.workers))
    settings_of(service).write_text(GOOD)


def test_what_is_not_allowed_is_refused_and_nothing_changes(service: Shared) -> None:
    good, most = settings_of(service).read_text(), limit(service.running)
    before = service.workers
    for content, reason in NOT_ALLOWED:
        settings_of(service).write_text(content)
        refused = plugin_here(service.directory, "reload")
        assert refused.returncode == 1
        assert refused.stderr.startswith("refused: ")
        assert reason in refused.stderr
        assert reason in service.running.err
        assert limit(service.running) == most
        assert service.workers == before
    # a worker that dies now comes back with the settings that are in force
    os.kill(before[0], signal.SIGKILL)
    until(lambda: before[0] not in service.workers and len(service.workers) == len(before))
    assert limit(service.running) == most
    settings_of(service).write_text(good)


async def test_streams_go_on(service: Shared) -> None:
    async with service.streaming("streams", pieces=150) as streams:
        asked = [streams.ask() for _ in range(5)]
        await streams.begun(5)
        settings_of(service).write_text("PLUGIN_BODY_LIMIT=8192\n")
        told = service.running.err.count("a new one")
        service.running.process.send_signal(signal.SIGHUP)
        await asyncio.to_thread(until, lambda: service.running.err.count("a new one") > told)
        assert not any(one.done() for one in asked)
        assert await asyncio.to_thread(limit, service.running) == 8192
        assert all(map(streams.is_whole, await asyncio.gather(*asked)))


def test_a_terminal_that_goes_away_ends_the_service(started: OnTerminal) -> None:
    """This is the last test: it ends the service."""
    os.close(started.terminal)
    assert started.running.process.wait(PATIENCE) == 0
