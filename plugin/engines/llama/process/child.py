"""The engine's process as its parent sees it: started, asked where it listens, ended."""

import contextlib
import json
import logging
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import IO

from plugin.engines.llama.process.server import Plan

COMMAND = (sys.executable, "-P", "-m", "plugin.engines.llama.process.server")
"""Not by the command line: its modules would take a fifth of the time of a start."""

_ERROR = re.compile(r"\S+ [EF] (.*)")
"""A line of llama.cpp's log that tells of an error: time, level, text."""
_REFUSED = ("send_error", "llg error")
_DUMP, _DUMP_END = "<state>", "</grammar>"
"""Around what LLGuidance says of a grammar that it drops: it holds a caller's schema."""
_PATIENCE = 5.0
_LONGEST_REASON = 300


class Child:
    """One run of the engine. What it writes on stderr goes to `log`."""

    def __init__(self, plan: Plan, log: logging.Logger, command: Sequence[str] = COMMAND) -> None:
        self._log = log
        self._hidden = {os.path.dirname(path) for path in (plan.text_model, plan.vector_model)}  # noqa: PTH120 - as text
        self._first_error = self._last = ""
        self._beats: Mapping[str, float] = {}
        self._process = subprocess.Popen(  # noqa: S603 - our own command
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=_surroundings(),
            # Ctrl-C is for the parent, which lets requests end before it ends the engine.
            start_new_session=True,
        )
        self.pid = self._process.pid
        self._reader = threading.Thread(target=self._read, name="engine-log", daemon=True)
        self._reader.start()
        with contextlib.suppress(OSError):
            self._stdin.write(json.dumps(asdict(plan)).encode() + b"\n")
            self._stdin.flush()

    def addresses(self) -> dict[str, str] | None:
        """Wait until it is ready: where it listens; None when it ended instead."""
        stdout = self._process.stdout
        line = stdout.readline() if stdout else b""
        try:
            found: dict[str, str] = json.loads(line)
        except ValueError:
            return None
        self._beats = dict.fromkeys(found, time.monotonic())
        threading.Thread(target=self._hear, name="engine-beats", daemon=True).start()
        return found

    def beats(self) -> Mapping[str, float]:
        """When each server last made progress, by `time.monotonic`."""
        return self._beats

    def wait(self) -> int:
        """Wait until it has ended, and all that it wrote is read; its exit code."""
        code = self._process.wait()
        self._reader.join(_PATIENCE)
        self._close()
        return code

    def reason(self) -> str:
        """What it said of its end, without names of folders: callers read this."""
        said = self._first_error or self._last or f"exit code {self._process.returncode}"
        for folder in self._hidden:
            said = said.replace(f"{folder}{os.sep}", "")
        return said[:_LONGEST_REASON]

    def end(self) -> None:
        """End it: asked first, then made to."""
        self._process.terminate()
        try:
            self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()

    def kill(self) -> None:
        """End it in spite of itself."""
        self._process.kill()

    def _hear(self) -> None:
        with contextlib.suppress(ValueError):  # closed meanwhile
            for line in self._process.stdout or ():
                name = line.decode("utf-8", "replace").strip()
                if name in self._beats:
                    self._beats = {**self._beats, name: time.monotonic()}

    @property
    def _stdin(self) -> IO[bytes]:
        assert self._process.stdin is not None  # noqa: S101 - for the type checker
        return self._process.stdin

    def _close(self) -> None:
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()

    def _read(self) -> None:
        dumped = False
        for raw in self._process.stderr or ():
            line = raw.decode("utf-8", "replace").strip()
            dumped = line == _DUMP or (dumped and not line.endswith(_DUMP_END))
            if not line or dumped or line.endswith(_DUMP_END):
                continue
            self._last = line
            error = _ERROR.fullmatch(line)
            refused = error is not None and any(mark in line for mark in _REFUSED)
            if error and not refused and not self._first_error:
                self._first_error = " ".join(error[1].split())
            # A request that the engine refused is its caller's affair, who is told.
            self._log.log(logging.DEBUG if refused else logging.WARNING, "engine: %s", line)


def _surroundings() -> dict[str, str]:
    """What the engine needs of our environment: no setting, least of all a secret one."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PLUGIN_")}
    # It finds the modules that we have found, and never others that lie where we were started.
    return kept | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
