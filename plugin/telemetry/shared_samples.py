"""The figures of all workers of a machine: a small file each, added up by whoever is asked.

A worker writes its file once a second and holds a lock on it while it lives. What a dead worker had
counted is moved to a file of the past, so that the sums never go down.
"""

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from zlib import crc32

import orjson

from plugin.storage.locked_files import is_locked, made_locked
from plugin.telemetry.samples import Figures

_HEAD = 16
_PAST = "past.json"
_ATTEMPTS = 50


class FigureFile:
    """The file of one worker."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / f"{os.getpid()}-{os.urandom(4).hex()}.worker"
        with made_locked(self._path) as self._file:
            pass
        self._last = b""

    @property
    def in_place(self) -> bool:
        """Whether nobody took the file away."""
        return self._path.exists()

    def write(self, figures: Figures) -> None:
        """Put the figures in place of those before. Raises `OSError`."""
        body = orjson.dumps(figures.written())
        if body == self._last:
            return
        # Whoever reads meanwhile sees that the sum is wrong, and reads again.
        os.pwrite(self._file, b"%08x%08x" % (len(body), crc32(body)) + body, 0)
        self._last = body

    def close(self) -> None:
        """Let go: what was counted belongs to the past from now on."""
        os.close(self._file)


def gather(directory: Path) -> tuple[Figures, int]:
    """What all workers counted, and how many of them live. Blocks for some milliseconds.

    Raises `OSError` when the directory cannot be read.
    """
    with _alone(directory):
        past = _Past(directory / _PAST)
        sums, alive = Figures(), 0
        for path in sorted(one for one in directory.glob("[!.]*.worker") if one.is_file()):
            with suppress(FileNotFoundError), _opened(path) as file:
                figures = _read(file)
                if is_locked(file):
                    sums.add(figures)
                    alive += 1
                else:
                    past.take(path, figures)
        sums.add(past.figures)
        return sums, alive


class _Past:
    """What dead workers counted, and whose files were taken in already."""

    def __init__(self, path: Path) -> None:
        self._path = path
        told = _json(path)
        self.figures = Figures.read(told.get("figures", {}))
        self._taken: list[str] = told.get("taken", [])

    def take(self, worker: Path, figures: Figures) -> None:
        # A file may outlive this by a kill in between; its name says that it counted already.
        if worker.name not in self._taken:
            self.figures.add(figures.of_the_past())
            self._taken = [*self._taken[-99:], worker.name]
            part = self._path.with_suffix(".part")
            written = {"taken": self._taken, "figures": self.figures.written()}
            part.write_bytes(orjson.dumps(written))
            part.replace(self._path)
        worker.unlink(missing_ok=True)


def _json(path: Path) -> Mapping[str, Any]:
    try:
        found = orjson.loads(path.read_bytes())
    except (FileNotFoundError, IsADirectoryError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _read(file: int) -> Figures:
    """The figures of a worker; those that are being written are read again."""
    for _ in range(_ATTEMPTS):
        data = os.pread(file, os.fstat(file).st_size, 0)
        with suppress(ValueError):
            length, check = int(data[:8], 16), int(data[8:_HEAD], 16)
            body = data[_HEAD : _HEAD + length]
            if crc32(body) == check:
                return Figures.read(orjson.loads(body))
    return Figures()  # it has written nothing yet, or died while it wrote


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield file
    finally:
        os.close(file)


@contextmanager
def _alone(directory: Path) -> Iterator[None]:
    """One at a time: while the past grows, nobody else may add up."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = os.open(directory / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)
