"""An engine that makes no progress is seen; one that does, however busy, is left alone."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from plugin.engines.llama.process import watch
from plugin.engines.llama.process.state import StateFile
from plugin.engines.llama.process.supervisor import Options, Supervisor
from tests.journeys.running import until

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")

SLEEPS = "import time; time.sleep(60)"
WORKS = "while True: pass"
IMPATIENT = watch.Patience(busy=0.5, idle=3)
SOON = watch.Patience(busy=4.0, idle=3)


@contextmanager
def process(program: str) -> Iterator[int]:
    started = subprocess.Popen([sys.executable, "-c", program])  # noqa: S603 - our own
    try:
        # until it has begun to do nothing
        time.sleep(0.5)
        yield started.pid
    finally:
        started.kill()
        started.wait()


def found(beats: Callable[[], Mapping[str, float]], pid: int, seconds: float) -> bool:
    """Whether it is taken to hang within some seconds."""
    ended, hung = threading.Event(), threading.Event()
    about = (beats, pid, ended, hung.set, IMPATIENT, 0.05)
    watching = threading.Thread(target=watch.watch, args=about)
    watching.start()
    hung.wait(seconds)
    ended.set()
    watching.join()
    return hung.is_set()


def beating() -> dict[str, float]:
    return {"text": time.monotonic(), "vectors": time.monotonic()}


def stuck() -> Callable[[], dict[str, float]]:
    """One of two servers never finishes what it began."""
    began = time.monotonic()
    return lambda: {"text": began, "vectors": time.monotonic()}


def test_one_that_works_without_progress_hangs() -> None:
    with process(WORKS) as pid:
        assert found(stuck(), pid, 20)


def test_one_that_neither_works_nor_makes_progress_hangs() -> None:
    with process(SLEEPS) as pid:
        assert found(stuck(), pid, 20)


@pytest.mark.parametrize("program", [SLEEPS, WORKS])
def test_one_that_makes_progress_does_not_hang(program: str) -> None:
    with process(program) as pid:
        assert not found(beating, pid, 1)


def test_one_that_gets_no_processor_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    worked = iter(range(10_000))
    monkeypatch.setattr(watch, "_worked", lambda _pid: next(worked) / 10_000)
    assert not found(stuck(), os.getpid(), 1.5)


def test_an_engine_that_hangs_is_started_anew(
    tmp_path: Path, model_places: tuple[Path, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "_EVERY", 0.3)
    monkeypatch.setattr(watch, "Patience", lambda: SOON)
    file = tmp_path / "engine.json"
    supervisor, states = (
        Supervisor(Options(model_places, slots=2, context=512), file),
        StateFile(file),
    )
    supervisor.start()
    try:
        until(lambda: states.read().state == "ready")
        before = states.read().pid
        assert before is not None
        os.kill(before, signal.SIGSTOP)
        until(lambda: states.read().state == "ready" and states.read().pid != before)
        assert states.read().restarts == 1
    finally:
        supervisor.stop()
