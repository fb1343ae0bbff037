"""What the supervisor says of the embedded engine, in one small file that every worker reads."""

import json
import logging
import os
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal, get_args

Phase = Literal["starting", "ready", "restarting", "missing_models", "failed", "stopped"]

FILE = "engine.json"
"""Its name in the data directory."""

log = logging.getLogger(__name__)


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
_UNREADABLE = EngineState(
    "starting", "The state of the embedded engine cannot be read. Try again in a moment."
)
_NAMES = frozenset(field.name for field in fields(EngineState))
_TEXTS = ("detail", "text", "vectors", "key")
_NUMBERS = ("pid", "context", "slots", "restarts")


def write_state(path: Path, state: EngineState) -> None:
    """Put `state` in place of what `path` held, in one step; only the owner can read the key."""
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    part.unlink(missing_ok=True)
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(asdict(state), file)
    part.replace(path)


def set_aside(path: Path) -> Path | None:
    """Move a file that holds no state out of the way; return where it is now, None if it is whole.

    Raises `OSError`.
    """
    try:
        _read(path)
    except FileNotFoundError:
        return None
    except (ValueError, IsADirectoryError):
        beside = path.with_name(f"{path.name}.damaged")
        path.replace(beside)
        return beside
    return None


def _read(path: Path) -> EngineState:
    """The state in a file. Raises `OSError`, and `ValueError` for anything else than a state."""
    content = json.loads(path.read_bytes())
    if not isinstance(content, dict) or content.get("state") not in get_args(Phase):
        raise ValueError
    given: dict[str, Any] = {name: content[name] for name in content.keys() & _NAMES}
    texts = (given.get(name) for name in _TEXTS)
    numbers = (given.get(name) for name in _NUMBERS)
    if not all(value is None or isinstance(value, str) for value in texts) or not all(
        value is None or isinstance(value, int) for value in numbers
    ):
        raise ValueError
    return EngineState(**given)


class StateFile:
    """The state as it stands; the file is read again only when it has changed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen: tuple[int, int, int] | None = None
        self._state = _NOT_STARTED

    def read(self) -> EngineState:
        """The last state that was written; "stopped" where there is none.

        A damaged file is "starting": the supervisor writes it anew within seconds.
        """
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
            return _read(self.path)
        except (OSError, ValueError) as error:
            # for the operator alone: callers are not told what lies where
            log.debug("%s cannot be read: %s", self.path, type(error).__name__)
            return _UNREADABLE
