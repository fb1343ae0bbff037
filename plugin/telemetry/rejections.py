"""Why calls were turned away: the last of them, in files of a bounded size, for `plugin why`.

Calls that were let through are rows of the ledger; these are the others. Whoever has no key cannot
push out what concerns those who have one: they are kept apart.
"""

import fcntl
import logging
import os
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson

from plugin.telemetry.record import RequestRecord

log = logging.getLogger(__name__)

DIRECTORY = "decisions"
"""Their place in the data directory."""

_OF_CALLERS, _OF_STRANGERS = "callers.jsonl", "strangers.jsonl"
_WAITING = 5_000
_KEPT = ("request_id", "method", "path", "status", "ms", "caller", "code", "limit", "ended")


class Decisions:
    """Takes what one worker decided, and writes it when it is tended; a kill loses a second.

    `size` is in bytes: each of the two files is put aside when it is larger, and one is kept.
    """

    def __init__(
        self, directory: Path, clock: Callable[[], float], size: int = 4 * 1024 * 1024
    ) -> None:
        self._directory = directory
        self._clock = clock
        self._size = size
        self._waiting: deque[tuple[float, RequestRecord, Sequence[Any]]] = deque(maxlen=_WAITING)
        self._failing = False

    def add(self, record: RequestRecord, way: Sequence[Mapping[str, Any]]) -> None:
        """Remember a call that was turned away: its access record, and what happened to it."""
        self._waiting.append((self._clock(), record, way))

    def tend(self) -> None:
        """Write what waits; every second or so."""
        lines: dict[str, list[bytes]] = {}
        while self._waiting:
            moment, record, way = self._waiting.popleft()
            name = _OF_STRANGERS if record.caller is None else _OF_CALLERS
            lines.setdefault(name, []).append(_line(moment, record, way))
        try:
            for name, some in lines.items():
                self._write(self._directory / name, b"".join(some))
        except OSError as error:
            if not self._failing:
                log.warning("decisions are lost, %s cannot be written: %s", self._directory, error)
            self._failing = True
        else:
            self._failing = False

    def _write(self, path: Path, lines: bytes) -> None:
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            if os.fstat(file).st_size > self._size and _is_at(file, path):
                path.replace(_put_aside(path))
            os.write(file, lines)
        finally:
            os.close(file)


def decided(directory: Path, request_id: str) -> list[dict[str, Any]]:
    """What is kept of the calls with an id, the newest last: their records, with `way` and `time`.

    `time` is in microseconds since 1970.
    """
    wanted = orjson.dumps(request_id)
    found: list[dict[str, Any]] = []
    for name in (_OF_CALLERS, _OF_STRANGERS):
        path = directory / name
        for part in (_put_aside(path), path):
            with suppress(FileNotFoundError):
                found += _those(part.read_bytes(), wanted, request_id)
    return sorted(found, key=lambda one: int(one["time"]))


def _those(content: bytes, wanted: bytes, request_id: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for line in content.split(b"\n"):
        if wanted in line:
            with suppress(ValueError):
                told = orjson.loads(line)
                if told["request_id"] == request_id:
                    found.append(told)
    return found


def _line(moment: float, record: RequestRecord, way: Sequence[Mapping[str, Any]]) -> bytes:
    told = {name: value for name in _KEPT if (value := getattr(record, name)) is not None}
    line = {"time": int(moment * 1_000_000), **told, "way": way}
    return orjson.dumps(line, default=str, option=orjson.OPT_APPEND_NEWLINE)


def _put_aside(path: Path) -> Path:
    return path.with_suffix(".1.jsonl")


def _is_at(file: int, path: Path) -> bool:
    """Whether nobody has put it aside meanwhile."""
    try:
        return os.path.samestat(os.fstat(file), path.stat())
    except FileNotFoundError:
        return False
