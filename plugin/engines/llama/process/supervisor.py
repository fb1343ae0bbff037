"""Keeps the embedded engine running: starts it, says where it is, starts it anew, ends it.

It works in a thread of the parent process, once, whatever the number of workers. They know the
engine by the file that it writes (`state.py`), and so does a second service on the same data: only
one of them has an engine, and the other takes over when that one ends.
"""

import importlib
import importlib.util
import logging
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from plugin.engines.llama.process.child import COMMAND, Child
from plugin.engines.llama.process.cores import default_threads
from plugin.engines.llama.process.models import TEXT, VECTORS, Found, look
from plugin.engines.llama.process.server import RUNTIME, Plan
from plugin.engines.llama.process.state import EngineState, StateFile, set_aside, write_state
from plugin.engines.llama.process.turn import turn
from plugin.engines.llama.process.watch import watch

_AGAIN = "Try again in a moment."
_THEN = "On the machine of the service: `{}` (once); it then starts the engine by itself."

STARTING = EngineState("starting", f"The embedded engine is starting. {_AGAIN}")
STOPPED = EngineState("stopped", "The embedded engine has stopped with its service.")
MISSING = EngineState(
    "missing_models",
    f"The embedded engine has no model files. {_THEN.format('plugin models fetch')}",
)
NO_RUNTIME = EngineState(
    "failed",
    "The runtime of the embedded engine is not installed. "
    + _THEN.format("pip install 'gpt-plugin[engine]'"),
)

_LOOK_AGAIN = 2.0
_LOOK_AT_FILE = 0.5
_LONGEST_PAUSE = 30.0
_STEADY = 10.0  # after so many seconds a death is no longer one of a row
_BREATH = 0.25


@dataclass(frozen=True, slots=True)
class Options:
    """How the engine is run. `threads` of None: one less than there are processors.

    `ports` are those of the text and the vector server (0: any free one); without a `key`, one is
    made.
    """

    places: tuple[Path, ...]
    threads: int | None = None
    slots: int = 4
    context: int = 4096
    ports: tuple[int, int] = (0, 0)
    key: str | None = None


class Supervisor:
    """The engine from `start` to `stop`; `file` always says how it is."""

    def __init__(
        self,
        options: Options,
        file: Path,
        *,
        command: Sequence[str] = COMMAND,
        pause: Callable[[float], object] | None = None,
    ) -> None:
        self._options = options
        self._file = file
        self._command = command
        self._log = logging.getLogger("plugin.engine")
        self._key = options.key or secrets.token_urlsafe(32)
        self._stopping = threading.Event()
        self._pause = pause or self._stopping.wait
        self._beginning, self._writing = threading.Lock(), threading.Lock()
        self._child: Child | None = None
        self._state: EngineState | None = None
        self._restarts = self._failures = 0
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)

    def start(self) -> None:
        """Begin; returns at once."""
        self._thread.start()

    def stop(self) -> None:
        """End the engine, and wait until it is gone."""
        with self._beginning:
            self._stopping.set()
        if self._child is not None:
            self._child.end()
        self._thread.join()

    def _run(self) -> None:
        with turn(self._file, self._stopping) as ours:
            if not ours:
                return
            # At once: what is there may be the last word of a service that was killed.
            self._say(STARTING)
            threading.Thread(target=self._keep_file, name="engine-file", daemon=True).start()
            while not self._stopping.is_set():
                self._once()
            self._say(STOPPED)

    def _keep_file(self) -> None:
        """Put the file back that somebody else damaged, changed or removed."""
        kept = StateFile(self._file)
        while not self._stopping.wait(_LOOK_AT_FILE):
            with self._writing:
                if self._state is None or kept.read() == self._state:
                    continue
                try:
                    self._write(self._state)
                except OSError as error:
                    self._log.error("%s cannot be written: %s", self._file.name, error.strerror)

    def _write(self, state: EngineState) -> None:
        beside = set_aside(self._file)
        if beside is not None:
            self._log.warning("%s was damaged; it is written anew, see %s", self._file, beside)
        write_state(self._file, state)

    def _once(self) -> None:
        """The engine once, from its files to its end, or what stands in the way."""
        found = [look(model, self._options.places) for model in (TEXT, VECTORS)]
        problem = _problem(found)
        if problem is not None:
            self._say(problem)
            self._pause(_LOOK_AGAIN)
            return
        if not self._state or self._state.state not in {"failed", "restarting"}:
            self._say(STARTING)
        child = self._begin([str(one.path) for one in found])
        if child is None:
            return
        began = time.monotonic()
        ended = threading.Event()
        if addresses := child.addresses():
            self._serves(child, addresses, time.monotonic() - began)
            about = (child.beats, child.pid, ended, child.kill)
            threading.Thread(target=watch, args=about, name="engine-watch", daemon=True).start()
        code = child.wait()
        ended.set()
        if self._stopping.is_set():
            return
        if addresses:
            self._died(code, time.monotonic() - began)
        else:
            self._not_loaded(child.reason())

    def _begin(self, files: list[str]) -> Child | None:
        options = self._options
        plan = Plan(
            text_model=files[0],
            text_name=TEXT.name,
            vector_model=files[1],
            vector_name=VECTORS.name,
            key=self._key,
            threads=options.threads or default_threads(),
            slots=options.slots,
            context=options.context,
            text_port=options.ports[0],
            vector_port=options.ports[1],
        )
        # Not between a stop's last look at the child and its end.
        with self._beginning:
            if self._stopping.is_set():
                return None
            self._child = Child(plan, self._log, self._command)
            return self._child

    def _serves(self, child: Child, addresses: dict[str, str], seconds: float) -> None:
        self._failures = 0
        self._log.info("the embedded engine is ready after %.1f s", seconds)
        self._say(
            EngineState(
                "ready",
                pid=child.pid,
                text=addresses["text"],
                vectors=addresses["vectors"],
                key=self._key,
                context=self._options.context,
                slots=self._options.slots,
            )
        )

    def _died(self, code: int, seconds: float) -> None:
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        self._log.warning("the embedded engine died (%s) after %.0f s", how, seconds)
        self._restarts += 1
        text = f"The embedded engine died ({how}) and is being started again. {_AGAIN}"
        self._say(EngineState("restarting", text))
        if seconds < _STEADY:
            self._pause(_BREATH)

    def _not_loaded(self, reason: str) -> None:
        pause = min(2.0**self._failures, _LONGEST_PAUSE)
        self._failures += 1
        self._log.error("the embedded engine cannot start: %s", reason)
        text = f"The embedded engine cannot start: {reason}. It is tried again every few seconds;"
        self._say(EngineState("failed", f"{text} the log of the service says more."))
        self._pause(pause)

    def _say(self, state: EngineState) -> None:
        """Write the state if it is another one; a full disk is waited for."""
        state = replace(state, restarts=self._restarts)
        while state != self._state:
            try:
                with self._writing:
                    self._write(state)
                    self._state = state
            except OSError as error:
                self._log.error("%s cannot be written: %s", self._file.name, error.strerror)
                if self._stopping.wait(_LOOK_AGAIN):
                    return


def _problem(found: Sequence[Found]) -> EngineState | None:
    """What has to be done before the engine can start."""
    importlib.invalidate_caches()
    if importlib.util.find_spec(RUNTIME) is None:
        return NO_RUNTIME
    damaged = ", ".join(one.model.file for one in found if one.state == "damaged")
    if damaged:
        text = f"A model file of the embedded engine is damaged: {damaged}. "
        return EngineState("missing_models", text + _THEN.format("plugin models fetch"))
    return MISSING if any(one.state == "missing" for one in found) else None
