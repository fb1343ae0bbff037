"""What can happen to the storage of a running service, done to it and taken back."""

import contextlib
import errno
import os
import resource
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.journeys.streaming import children

Fault = Callable[[Path, int], "contextlib.AbstractContextManager[None]"]
"""From the data directory and the service's process to a fault that lasts as long as it is held."""


@contextlib.contextmanager
def small_disk(at: Path, megabytes: int) -> Iterator[bool]:
    """A disk of its own at `at`, where this user may mount one; gives whether there is."""
    at.mkdir(exist_ok=True)
    mount = shutil.which("mount")
    command = [mount or "mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(at)]
    mounted = mount is not None and not _run(command)
    try:
        yield mounted
    finally:
        if mounted:
            _run(["umount", str(at)])


def _run(command: list[str]) -> int:
    return subprocess.run(command, check=False, capture_output=True).returncode  # noqa: S603 - our own command


@contextlib.contextmanager
def full_disk(data: Path, _pid: int) -> Iterator[None]:
    """Nothing is left of the disk; for a small one."""
    filler = data / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (1 << 16, 1 << 12, 1):
            with contextlib.suppress(OSError):
                while True:
                    file.write(bytes(size))
    try:
        yield
    finally:
        filler.unlink()


@contextlib.contextmanager
def no_longer_files(_data: Path, pid: int) -> Iterator[None]:
    """No file of the service may grow: the nearest to a full disk that needs no disk."""
    before = {one: resource.prlimit(one, resource.RLIMIT_FSIZE) for one in children(pid)}
    for one, (_, most) in before.items():
        resource.prlimit(one, resource.RLIMIT_FSIZE, (1, most))
    try:
        yield
    finally:
        for one, limits in before.items():
            with contextlib.suppress(ProcessLookupError):  # it has ended meanwhile
                resource.prlimit(one, resource.RLIMIT_FSIZE, limits)


@contextlib.contextmanager
def locked_database(data: Path, _pid: int) -> Iterator[None]:
    """Another process writes, and does not end."""
    connection = sqlite3.connect(data / "plugin.db", timeout=30, isolation_level=None)
    try:
        connection.execute("BEGIN EXCLUSIVE")
        yield
        connection.execute("ROLLBACK")
    finally:
        connection.close()


@contextlib.contextmanager
def journals_deleted(data: Path, _pid: int) -> Iterator[None]:
    """Somebody takes the journals away."""
    _take_away(data / "journal")
    yield


@contextlib.contextmanager
def file_instead_of_journals(data: Path, _pid: int) -> Iterator[None]:
    """Somebody takes the journals away, and puts a file there."""
    while True:
        _take_away(data / "journal")
        try:
            (data / "journal").touch(exist_ok=False)
        except OSError as error:
            if error.errno != errno.EEXIST:
                raise
        else:
            break
    yield
    (data / "journal").unlink()


def _take_away(directory: Path) -> None:
    aside = directory.with_name(f"{directory.name}.gone")
    directory.rename(aside)
    shutil.rmtree(aside)


def damage_settled_lines(data: Path, most: int, name: str) -> list[str]:
    """Write rubbish over settled lines of calls whose ids begin with `name`; return those ids.

    The lines are of the last calls, which a ledger that waits has not read; good lines follow.
    """
    wanted = name.encode()
    path = max((data / "journal").glob("*.log"), key=lambda one: one.read_bytes().count(wanted))
    offset, found = 0, list[tuple[int, bytes]]()
    for line in path.read_bytes().splitlines(keepends=True):
        if b'"s"' in line[:16] and wanted in line:
            found.append((offset, line))
        offset += len(line)
    late = found[len(found) * 7 // 8 :][:most]
    names = []
    file = os.open(path, os.O_WRONLY)
    try:
        for start, line in late:
            os.pwrite(file, os.urandom(len(line) - 1).replace(b"\n", b"x"), start)
            names.append(line)
    finally:
        os.close(file)
    return [_request_id(line, name) for line in names]


def _request_id(line: bytes, name: str) -> str:
    return next(part for part in line.decode().split('"') if part.startswith(name))
