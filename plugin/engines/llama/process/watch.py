"""Sees an engine that hangs without having died: its decoding makes no progress."""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

_EVERY = 1.0
_CLOCK_TICKS = 100
_TIMES = slice(11, 13)
"""Where /proc says the processor time, in user and in system mode, after the name."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long an engine may go without a beat.

    `busy` counts seconds of its own CPU, and as many on the clock: one pass of its loop takes no
    more than one or two. `idle` counts looks in a row at which it has not worked at all.
    """

    busy: float = 6.0
    idle: int = 5


def watch(
    beats: Callable[[], Mapping[str, float]],
    pid: int,
    ended: threading.Event,
    hangs: Callable[[], None],
    patience: Patience | None = None,
    every: float | None = None,
) -> None:
    """Look every second until `ended`; call `hangs` once a server of the engine makes no progress.

    `beats` says when each server last finished a pass of its decoding loop, by `time.monotonic`. A
    server under full load beats between two batches, and one without work all the time. CPU use is
    no sign of progress: a loop that never ends uses all of it. Without /proc only the clock counts.
    """
    patience = patience or Patience()
    marks: dict[str, tuple[float, float]] = {}
    idle, before = 0, _worked(pid)
    while not ended.wait(every or _EVERY):
        now = _worked(pid)
        found = beats()
        late = [name for name, beat in found.items() if _late(marks, name, beat, now, patience)]
        missed = any(time.monotonic() - beat > patience.busy / 2 for beat in found.values())
        idle = idle + 1 if missed and now == before else 0
        before = now
        if late or idle >= patience.idle:
            logging.getLogger("plugin.engine").error(
                "the embedded engine makes no progress; it is killed and started again"
            )
            hangs()
            return


def _late(
    marks: dict[str, tuple[float, float]], name: str, beat: float, worked: float, patience: Patience
) -> bool:
    """Whether a server has worked too long since its last beat; remembers its work at each beat."""
    last, at = marks.get(name, (-1.0, worked))
    if beat != last:
        marks[name] = beat, worked
        return False
    clock = time.monotonic() - beat
    return clock > patience.busy and worked - at > patience.busy


def _worked(pid: int) -> float:
    """The seconds of CPU that a process has used; those on the clock where that is not known."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return time.monotonic()
    return sum(map(int, stat.rpartition(")")[2].split()[_TIMES])) / _CLOCK_TICKS
