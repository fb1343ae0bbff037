"""How commands find the service of a data directory, and learn what became of their request."""

import contextlib
import json
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import IO

FILE, LOCK = "service.json", "service.lock"

_TRIES, _BETWEEN = 5, 0.02


@dataclass(frozen=True, slots=True)
class Standing:
    """Which process it is, how many restarts and reloads have begun and ended, how the last did.

    An empty `outcome` is a good one. `notes` are what the last reload did not change, and why.
    """

    pid: int
    begun: int = 0
    ended: int = 0
    outcome: str = ""
    notes: Sequence[str] = ()


@contextmanager
def ours(directory: Path) -> Iterator[bool]:
    """Hold the place of the service in `directory`; whether it is ours, or another's.

    The lock ends with its process, however that ends, so that a stale file is known.
    """
    with (directory / LOCK).open("w") as lock:
        if not _locked(lock):
            yield False
            return
        try:
            yield True
        finally:
            with contextlib.suppress(OSError):
                (directory / FILE).unlink(missing_ok=True)


def _locked(lock: IO[str]) -> bool:
    import fcntl

    for _ in range(_TRIES):
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(_BETWEEN)  # a command may just be looking
        else:
            return True
    return False


def write(directory: Path, standing: Standing) -> None:
    """Say how it stands; a full disk costs the waiting commands, not the service."""
    part = directory / f"{FILE}.part"
    with contextlib.suppress(OSError):
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w") as file:
            json.dump(asdict(standing), file)
        part.replace(directory / FILE)


def read(directory: Path) -> Standing | None:
    """How it stands; None where no service runs."""
    if not _is_held(directory):
        return None
    try:
        standing = Standing(**json.loads((directory / FILE).read_bytes()))
        return replace(standing, notes=tuple(standing.notes))
    except (OSError, ValueError, TypeError):
        return None


def was_killed(directory: Path) -> bool:
    """Whether the last service there ended without a word, so that its workers may still end."""
    return (directory / FILE).exists() and not _is_held(directory)


def _is_held(directory: Path) -> bool:
    from plugin.storage.locked_files import is_locked

    try:
        with (directory / LOCK).open() as lock:
            return is_locked(lock.fileno())
    except OSError:
        return False
