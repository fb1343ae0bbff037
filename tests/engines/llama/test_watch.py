"""An engine that hangs is seen; one that answers, or works, is left alone."""

import http.server
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from plugin.engines.llama import watch
from plugin.engines.llama.process import Options, Supervisor
from plugin.engines.llama.state import StateFile
from tests.journeys.running import until

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")

SLEEPS = "import time; time.sleep(60)"
WORKS = "while True: pass"


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


@contextmanager
def silent() -> Iterator[str]:
    """An address that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@contextmanager
def answering() -> Iterator[str]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/health" else 404)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "_PATIENCE", 0.1)


def found(addresses: list[str], pid: int, seconds: float) -> bool:
    """Whether it is taken to hang within some seconds."""
    ended, hung = threading.Event(), threading.Event()
    watching = threading.Thread(target=watch.watch, args=(addresses, pid, ended, hung.set, 0.1))
    watching.start()
    hung.wait(seconds)
    ended.set()
    watching.join()
    return hung.is_set()


def test_one_that_neither_answers_nor_works_hangs() -> None:
    with process(SLEEPS) as pid, silent() as text, answering() as vectors:
        assert found([vectors, text], pid, 10)


def test_one_that_answers_does_not_hang() -> None:
    with process(SLEEPS) as pid, answering() as text:
        assert not found([text], pid, 1.5)


def test_one_that_works_does_not_hang() -> None:
    with process(WORKS) as pid, silent() as text:
        assert not found([text], pid, 3)


def test_one_of_which_nothing_is_known_is_left_alone() -> None:
    with silent() as text:
        assert not found([text], 2**30, 1.5)


def test_an_engine_that_hangs_is_started_anew(
    tmp_path: Path, model_places: tuple[Path, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "_EVERY", 0.3)
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
