"""The folder that holds the bytes of files: written under a lock, kept whole or not at all."""

import fcntl
import hashlib
import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_hex
from typing import BinaryIO

from plugin.errors import BodyTooLarge, NoSpace
from plugin.storage.allocation import is_full

_COMING = "coming-"


class Incoming:
    """A file on its way in: written and hashed piece by piece, without a name until it is whole.

    Its lock lasts until `close`, so that a sweep by another process leaves it alone. Everything
    blocks: call it in a thread.
    """

    def __init__(self, folder: Path, limit: int) -> None:
        self._folder = folder
        self._limit = limit
        self._hash = hashlib.sha256()
        self.size = 0
        with _told_when_full():
            self._path, self._file = _create(folder)

    @property
    def sha256(self) -> str:
        """The hash of what has come, in hexadecimal."""
        return self._hash.hexdigest()

    def write(self, piece: bytes) -> None:
        """Take the next bytes; raises `BodyTooLarge` over the limit, `NoSpace` on a full disk."""
        self.size += len(piece)
        if self.size > self._limit:
            raise BodyTooLarge(
                f"A file may have {self._limit} bytes at most; split it, or ask the operator for a "
                "larger PLUGIN_FILE_LIMIT.",
                param="file",
            )
        self._hash.update(piece)
        with _told_when_full():
            self._file.write(piece)

    def reread(self) -> BinaryIO:
        """What has come so far, from its beginning."""
        with _told_when_full():
            self._file.flush()
        return self._path.open("rb")

    def keep(self, name: str) -> None:
        """Give it its name, once every byte is on the disk."""
        with _told_when_full():
            self._file.flush()
            os.fsync(self._file.fileno())
            self._path = self._path.rename(self._folder / name)
            _sync_folder(self._folder)

    def drop(self) -> None:
        """Leave nothing behind."""
        self._path.unlink(missing_ok=True)
        self.close()

    def close(self) -> None:
        """Let go of it; what has a name stays."""
        with suppress(OSError):  # bytes that no longer fit are not wanted either
            self._file.close()


class FileBytes:
    """The folder, and the trash beside it, `<folder>-trash`. Everything blocks.

    Names are ids of ours, never a caller's words.
    """

    def __init__(self, folder: Path, limit: int) -> None:
        self._folder = folder
        self._trash = folder.with_name(f"{folder.name}-trash")
        self._limit = limit

    def begin(self) -> Incoming:
        """A file to write; it is dropped or kept by whoever asked."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return Incoming(self._folder, self._limit)

    def open(self, name: str) -> BinaryIO:
        """The bytes of a kept file, readable even if it is removed meanwhile."""
        return (self._folder / name).open("rb")

    def remove(self, name: str) -> None:
        """Remove a kept file, if it is there or in the trash."""
        (self._folder / name).unlink(missing_ok=True)
        (self._trash / name).unlink(missing_ok=True)

    def set_aside(self, name: str, now: float) -> bool:
        """Move a kept file to the trash, and return True; remove one that is not whole."""
        if name.startswith(_COMING):
            self.remove(name)
            return False
        self._trash.mkdir(mode=0o700, exist_ok=True)
        try:
            os.utime(self._folder / name, (now, now))
            (self._folder / name).rename(self._trash / name)
        except FileNotFoundError:  # another worker was faster
            return False
        return True

    def trashed(self) -> dict[str, float]:
        """The files in the trash, each with the time in seconds since 1970 when it came there."""
        if not self._trash.is_dir():
            return {}
        found = {}
        for path in self._trash.iterdir():
            with suppress(FileNotFoundError):  # another worker was faster
                found[path.name] = path.stat().st_mtime
        return found

    def restore(self, name: str) -> None:
        """Put a file from the trash back, if it is still there."""
        with suppress(FileNotFoundError):
            (self._trash / name).rename(self._folder / name)

    def forget(self, name: str) -> None:
        """Delete a file in the trash."""
        (self._trash / name).unlink(missing_ok=True)

    def names(self) -> list[str]:
        """Everything in the folder, whole or not."""
        return [path.name for path in self._folder.iterdir()] if self._folder.is_dir() else []

    @contextmanager
    def claimed(self, names: Collection[str]) -> Iterator[list[str]]:
        """Those of `names` that nobody is writing, held so for as long as the context lasts."""
        held: dict[str, BinaryIO] = {}
        try:
            for name in names:
                with suppress(OSError):  # being written, or gone
                    file = self.open(name)
                    held[name] = file
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    continue
                if name in held:
                    held.pop(name).close()
            yield list(held)
        finally:
            for file in held.values():
                file.close()


def _create(folder: Path) -> tuple[Path, BinaryIO]:
    while True:
        path = folder / f"{_COMING}{token_hex(8)}"
        file = os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb")
        fcntl.flock(file, fcntl.LOCK_EX)
        if os.fstat(file.fileno()).st_nlink:
            return path, file
        file.close()  # a sweep was faster than the lock


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _told_when_full() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if is_full(error):
            raise NoSpace from error
        raise
