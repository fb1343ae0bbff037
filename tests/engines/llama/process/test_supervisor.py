"""The engine as a process: killed, ended, without files; it always comes back, and never stays."""

import http.client
import json
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from plugin.engines.llama.process.state import EngineState, StateFile
from plugin.engines.llama.process.supervisor import Options, Supervisor
from tests.journeys.running import running, until
from tests.sizes import sized

STREAMS = 8
KILLS = sized(2, 10)
SECONDS_TO_COME_BACK = sized(20.0, 3.0)
SECONDS_TO_END = sized(20.0, 2.0)

Start = Callable[..., "tuple[Supervisor, StateFile]"]


@pytest.fixture
def start(tmp_path: Path, model_places: tuple[Path, ...]) -> Iterator[Start]:
    """Starts an engine of its own."""
    started: list[Supervisor] = []

    def begin(options: Options | None = None, **more: object) -> tuple[Supervisor, StateFile]:
        file = tmp_path / "engine.json"
        chosen = options or Options(model_places, slots=2, context=512)
        supervisor = Supervisor(chosen, file, **more)  # type: ignore[arg-type]
        supervisor.start()
        started.append(supervisor)
        return supervisor, StateFile(file)

    yield begin
    for supervisor in started:
        supervisor.stop()


def reaches(states: StateFile, wanted: str) -> EngineState:
    until(lambda: states.read().state == wanted)
    return states.read()


def lives(pid: int | None) -> bool:
    """Whether there is such a process; one that waits to be reaped is none."""
    assert pid is not None
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


@contextmanager
def asked(state: EngineState, body: dict[str, object]) -> Iterator[http.client.HTTPResponse]:
    connection = http.client.HTTPConnection(urlsplit(str(state.text)).netloc, timeout=20)
    headers = {"Authorization": f"Bearer {state.key}", "Content-Type": "application/json"}
    with closing(connection):
        connection.request("POST", "/v1/chat/completions", json.dumps(body), headers)
        with connection.getresponse() as response:
            yield response


def answer(state: EngineState, tokens: int) -> Any:
    with asked(state, prompt(max_tokens=tokens)) as response:
        return json.load(response)


def prompt(**more: object) -> dict[str, object]:
    return {"messages": [{"role": "user", "content": "Count to 100."}], **more}


class Stream(threading.Thread):
    """Reads a stream to its end: whether the engine said that it was the end."""

    def __init__(self, state: EngineState) -> None:
        super().__init__(daemon=True)
        self.state = state
        self.began = False
        self.done = False
        self.start()

    def run(self) -> None:
        # Longer than it takes until the engine is killed.
        body = prompt(stream=True, max_tokens=400, ignore_eos=True)
        try:
            with asked(self.state, body) as response:
                while line := response.readline():
                    self.began = True
                    self.done = self.done or b"[DONE]" in line
        except (OSError, http.client.HTTPException):
            return


def test_it_answers_with_its_key_alone(engine: Path) -> None:
    state = StateFile(engine).read()
    answered = answer(state, 4)
    assert answered["usage"]["completion_tokens"] == 4
    assert answered["model"] == "smollm2-135m-instruct"
    with asked(replace(state, key="another"), prompt()) as refused:
        assert refused.status == 401


def test_the_key_is_seen_in_no_command_line(engine: Path) -> None:
    state = StateFile(engine).read()
    for place in ("cmdline", "environ"):
        assert str(state.key).encode() not in Path(f"/proc/{state.pid}/{place}").read_bytes()


def test_no_setting_reaches_the_engine(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLUGIN_UPSTREAMS", '[{"api_key": "hunter2"}]')
    state = reaches(start()[1], "ready")
    assert b"hunter2" not in Path(f"/proc/{state.pid}/environ").read_bytes()


def test_killed_again_and_again_under_streams_it_comes_back(start: Start) -> None:
    _, states = start()
    state = reaches(states, "ready")
    for kill in range(KILLS):
        streams = [Stream(state) for _ in range(STREAMS)]
        until(lambda streams=streams: any(one.began for one in streams))  # type: ignore[misc]
        killed = time.monotonic()
        os.kill(state.pid or 0, signal.SIGKILL)
        for stream in streams:
            stream.join(10)
            assert not stream.is_alive(), "a stream hangs"
            assert not stream.done
        until(lambda kill=kill: states.read().restarts == kill + 1)  # type: ignore[misc]
        state = reaches(states, "ready")
        assert time.monotonic() - killed < SECONDS_TO_COME_BACK
    assert answer(state, 2)["usage"]["completion_tokens"] == 2


def test_stopped_it_leaves_nothing(start: Start) -> None:
    supervisor, states = start()
    state = reaches(states, "ready")
    supervisor.stop()
    assert not lives(state.pid)
    assert states.read().state == "stopped"
    assert states.read().key is None


def test_stopped_while_it_starts_it_leaves_nothing(start: Start) -> None:
    supervisor, states = start()
    until(lambda: supervisor._child)
    supervisor.stop()
    assert supervisor._child is not None
    assert not lives(supervisor._child.pid)
    assert states.read().state == "stopped"


def test_it_ends_when_its_parent_is_killed(tmp_path: Path, model_places: tuple[Path, ...]) -> None:
    settings = {"PLUGIN_ENGINE": "embedded", "PLUGIN_MODEL_DIR": str(model_places[-1])}
    with running(tmp_path, "serve", settings=settings) as service:
        state = reaches(StateFile(tmp_path / "data" / "engine.json"), "ready")
        service.stop(signal.SIGKILL)
        deadline = time.monotonic() + SECONDS_TO_END
        while lives(state.pid):
            assert time.monotonic() < deadline
            time.sleep(0.02)


def test_several_workers_have_one_engine_which_stops_with_them(
    tmp_path: Path, model_places: tuple[Path, ...]
) -> None:
    settings = {"PLUGIN_ENGINE": "embedded", "PLUGIN_MODEL_DIR": str(model_places[-1])}
    with running(tmp_path, "serve", "--workers", "2", settings=settings) as service:
        states = StateFile(tmp_path / "data" / "engine.json")
        state = reaches(states, "ready")
        children = Path(f"/proc/{service.process.pid}/task").glob("*/children")
        pids = [pid for file in children for pid in file.read_text().split()]
        engines = [
            p for p in pids if b"llama.process.server" in Path(f"/proc/{p}/cmdline").read_bytes()
        ]
        assert engines == [str(state.pid)]
        assert service.stop() == 0
    assert not lives(state.pid)
    assert states.read().state == "stopped"


def test_a_second_service_on_the_same_data_takes_over_when_the_first_ends(start: Start) -> None:
    first, states = start()
    state = reaches(states, "ready")
    start()
    time.sleep(1)
    assert states.read() == state
    first.stop()
    until(lambda: states.read().pid not in {None, state.pid})
    assert reaches(states, "ready").pid != state.pid


def test_without_files_it_says_so_and_starts_when_they_come(
    start: Start, tmp_path: Path, model_places: tuple[Path, ...]
) -> None:
    models = tmp_path / "models"
    models.mkdir()
    _, states = start(Options((models,), context=512))
    assert "`plugin models fetch`" in reaches(states, "missing_models").detail
    # The larger one first and in part, as a copy that is under way.
    [text, vectors] = (found for found in sorted(model_places[-1].glob("*.gguf")))
    (models / text.name).write_bytes(b"GGUF")
    (models / vectors.name).symlink_to(vectors)
    until(lambda: "damaged" in states.read().detail)
    (models / text.name).unlink()
    (models / text.name).symlink_to(text)
    assert reaches(states, "ready").restarts == 0


def test_without_its_runtime_it_names_the_package(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("plugin.engines.llama.process.supervisor.RUNTIME", "no_such_runtime")
    assert "pip install 'gpt-plugin[engine]'" in reaches(start()[1], "failed").detail


def test_dying_while_it_loads_it_is_tried_less_and_less_often(
    start: Start, model_places: tuple[Path, ...], caplog: pytest.LogCaptureFixture
) -> None:
    pauses: list[float] = []
    enough = threading.Event()

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 7:
            enough.set()
            time.sleep(0.05)
        supervisor_stop.wait(0 if len(pauses) < 7 else 10)

    supervisor_stop = threading.Event()
    code = f"import sys; sys.exit('cannot read {model_places[-1]}/x.gguf')"
    command = (sys.executable, "-c", code)
    supervisor, states = start(Options(model_places), command=command, pause=pause)
    assert enough.wait(30)
    assert pauses[:7] == [1, 2, 4, 8, 16, 30, 30]
    assert states.read().state == "failed"
    assert "cannot read x.gguf" in states.read().detail
    assert str(model_places[-1]) not in states.read().detail
    assert any(record.levelno == logging.ERROR for record in caplog.records)
    supervisor_stop.set()
    supervisor.stop()


def test_a_model_that_cannot_be_loaded_is_said_in_the_engines_words(
    start: Start, tmp_path: Path, model_places: tuple[Path, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("plugin.engines.llama.process.models.is_whole", lambda *_, **__: True)
    for file in model_places[-1].glob("*.gguf"):
        (tmp_path / file.name).write_bytes(b"not a model")
    _, states = start(Options((tmp_path,)))
    detail = reaches(states, "failed").detail
    assert "SmolLM2" in detail or "magic" in detail, detail
    assert str(tmp_path) not in detail


def test_a_damaged_file_is_written_anew_while_the_engine_runs(
    start: Start, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "engine.json"
    file.write_text("{")
    _, states = start(Options((tmp_path / "nowhere",)))
    before = reaches(states, "missing_models")
    assert (tmp_path / "engine.json.damaged").read_text() == "{"
    for content in ("", '{"state": "stopped"}', None):
        if content is None:
            file.unlink()
        else:
            file.write_text(content)
        until(lambda: states.read() == before)
    assert (tmp_path / "engine.json.damaged").read_text() == ""
    assert caplog.text.count("was damaged; it is written anew") == 2
