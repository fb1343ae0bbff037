"""The last answer of an issuer in a file, so that all workers of a machine go by the same keys."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson

from plugin.storage.boot import boot

DIRECTORY = "jwks"
"""The place of these files in the data directory."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A document of keys. `asked` is when it was asked for, by the monotonic clock of the machine.

    `age` is after how many seconds it is fetched anew.
    """

    asked: float
    age: float
    body: bytes


class SharedKeys:
    """The file `path`. What an earlier start of the machine left is passed over."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._boot = boot().hex()
        self._seen: tuple[int, int, int] | None = None

    @classmethod
    def of(cls, directory: Path, *named: str) -> "SharedKeys":
        """Return the file of one issuer in the data directory; `named` tells it apart."""
        name = sha256(orjson.dumps(named)).hexdigest()[:32]
        return cls(directory / DIRECTORY / f"{name}.json")

    def changed(self) -> Answer | None:
        """Return what another worker has written since the last look, or None."""
        try:
            found = self._path.stat()
            seen = (found.st_mtime_ns, found.st_ino, found.st_size)
            if seen == self._seen:
                return None
            self._seen = seen
            return self._answer(orjson.loads(self._path.read_bytes()))
        except (OSError, ValueError, TypeError, KeyError):
            return None  # each worker fetches for itself as well

    def write(self, answer: Answer) -> None:
        """Put an answer in place of the last one, unless that was asked for later.

        Raises `OSError`.
        """
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._locked():
            self._seen = None
            last = self.changed()
            if last is None or last.asked <= answer.asked:
                self._put(answer)
            self._seen = None  # what a faster worker wrote is still to be looked at

    @contextmanager
    def _locked(self) -> Iterator[None]:
        lock = os.open(
            self._path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600
        )
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)  # for as long as a small file takes
            yield
        finally:
            os.close(lock)

    def _put(self, answer: Answer) -> None:
        body = answer.body.decode()  # read as JSON before, so it is UTF-8
        content = {"boot": self._boot, "asked": answer.asked, "age": answer.age, "body": body}
        part = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        with suppress(FileNotFoundError):
            part.unlink()
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(orjson.dumps(content))
            part.replace(self._path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise

    def _answer(self, content: Any) -> Answer | None:
        asked, age, body = content["asked"], content["age"], content["body"]
        if content["boot"] != self._boot or not isinstance(body, str):
            return None
        if not isinstance(asked, float | int) or not isinstance(age, float | int):
            return None
        return Answer(asked, age, body.encode())
