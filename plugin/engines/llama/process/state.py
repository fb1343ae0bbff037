"""What the supervisor says of the embedded engine, in one small file that every worker reads."""

import json
import os
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Literal

Phase = Literal["starting", "ready", "restarting", "missing_models", "failed", "stopped"]

FILE = "engine.json"
"""Its name in the data directory."""


@dataclass(frozen=True, slots=True)
class EngineState:
    """Whether the engine can be asked, where, and why not; the addresses are there when "ready".

    `detail` says what is wrong and the next step. `context` is in tokens a slot, `slots` how many
    texts are decoded at once, `restarts` how often the engine was started anew.
    """

    state: Phase
    detail: str = ""
    pid: int | None = None
    text: str | None = None
    vectors: str | None = None
    key: str | None = None
    context: int = 0
    slots: int = 0
    restarts: int = 0


_NOT_STARTED = EngineState("stopped", "The embedded engine is not running. Start it: plugin serve.")
_NAMES = frozenset(field.name for field in fields(EngineState))


def write_state(path: Path, state: EngineState) -> None:
    """Put `state` in place of what `path` held, in one step; only the owner can read the key."""
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    part.unlink(missing_ok=True)
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(asdict(state), file)
    part.replace(path)


class StateFile:
    """The state as it stands; the file is read again only when it has changed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen: tuple[int, int, int] | None = None
        self._state = _NOT_STARTED

    def read(self) -> EngineState:
        """The last state that was written; "stopped" where there is none."""
        try:
            found = self.path.stat()
        except OSError:
            self._seen = None
            return _NOT_STARTED
        seen = (found.st_mtime_ns, found.st_ino, found.st_size)
        if seen != self._seen:
            self._state, self._seen = self._load(), seen
        return self._state

    def _load(self) -> EngineState:
        try:
            content = json.loads(self.path.read_bytes())
            return EngineState(**{name: content[name] for name in content.keys() & _NAMES})
        except (OSError, ValueError, TypeError, AttributeError):
            return EngineState(
                "stopped", f"{self.path} is not what the engine writes. Start it: plugin serve."
            )
