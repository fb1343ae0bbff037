"""Settings are read again: good ones count, bad ones are refused and the old ones stay."""

import asyncio
import json
import os
import pty
import signal
import subprocess
from pathlib import Path

import pytest

from tests.journeys.running import (
    PATIENCE,
    PLUGIN,
    Running,
    free_port,
    plugin,
    running,
    surroundings,
    until,
)
from tests.journeys.streaming import children, streaming

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")

GOOD = "# ours\n\nPLUGIN_BODY_LIMIT=2048\n"


def limit(started: Running) -> int:
    """The body limit that counts."""
    answer = started.address.call("POST", "/todos", {"content-length": "99999999"})
    text: str = json.loads(answer.body)["detail"]
    return int(next(word for word in text.split() if word.isdigit()))


def test_what_is_allowed_counts(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("PLUGIN_WORKERS=2\n")
    with running(tmp_path, "serve") as started:
        assert limit(started) == 1_048_576
        (tmp_path / ".env").write_text(GOOD)
        done = plugin(tmp_path, "reload")
        assert (done.returncode, done.stderr) == (0, "")
        assert [limit(started) for _ in range(8)] == [2048] * 8
        until(lambda: len(children(started.process.pid)) == 1)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("\nPLUGIN_BODY_LIMIT=lots\n", "PLUGIN_BODY_LIMIT (.env line 2): 'lots' is not allowed"),
        ("PLUGIN_BODY_LIMIT=4096\nwhat is this\n", ".env line 2: this is not NAME=value"),
        ("PLUGIN_OPERATIONS=no_such_package\n", "no_such_package"),
    ],
)
def test_what_is_not_allowed_is_refused_and_nothing_changes(
    tmp_path: Path, content: str, reason: str
) -> None:
    (tmp_path / ".env").write_text(GOOD)
    with running(tmp_path, "serve") as started:
        before = children(started.process.pid)
        (tmp_path / ".env").write_text(content)
        refused = plugin(tmp_path, "reload")
        assert refused.returncode == 1
        assert refused.stderr.startswith("refused: ")
        assert reason in refused.stderr
        assert reason in started.err
        assert limit(started) == 2048
        assert children(started.process.pid) == before
        # a worker that dies now comes back with the settings that count
        os.kill(before[0], signal.SIGKILL)
        until(lambda: children(started.process.pid) not in ([], before))
        assert limit(started) == 2048


def test_what_counts_at_a_start_alone_is_told(tmp_path: Path) -> None:
    with running(tmp_path, "serve") as started:
        (tmp_path / ".env").write_text(f"{GOOD}PLUGIN_DATA_DIR=other\n")
        done = plugin(tmp_path, "reload", settings={"PLUGIN_DATA_DIR": "data"})
        assert done.returncode == 0
        assert "PLUGIN_DATA_DIR has changed" in started.err
        assert limit(started) == 2048
        assert not (tmp_path / "other").exists()


def test_streams_go_on(tmp_path: Path) -> None:
    async def run() -> None:
        async with streaming(tmp_path, pieces=100) as service:
            streams = [service.ask() for _ in range(5)]
            await service.begun(5)
            (tmp_path / ".env").write_text(GOOD)
            service.running.process.send_signal(signal.SIGHUP)
            await asyncio.to_thread(until, lambda: "a new one" in service.running.err)
            assert not any(stream.done() for stream in streams)
            assert await asyncio.to_thread(limit, service.running) == 2048
            assert all(map(service.is_whole, await asyncio.gather(*streams)))

    asyncio.run(run())


def test_a_terminal_that_goes_away_ends_the_service(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    log = tmp_path / "err.txt"
    with log.open("wb") as stderr:
        process = subprocess.Popen(  # noqa: S603 - our own command
            ["setsid", "--ctty", *PLUGIN, "serve", "--port", str(free_port())],  # noqa: S607
            cwd=tmp_path,
            env=surroundings(),
            stdin=theirs,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
        )
    os.close(theirs)
    try:
        until(lambda: "listening" in log.read_text())
        os.close(ours)
        assert process.wait(PATIENCE) == 0
    finally:
        process.kill()
        process.wait()
