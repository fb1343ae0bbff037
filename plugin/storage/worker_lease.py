"""The lease of a worker: an id and a locked file, by which all know whether the worker lives."""

import os
from contextlib import suppress
from pathlib import Path

from plugin.storage.locked_files import is_locked, made_locked

_ENDING = ".lock"


class WorkerLease:
    """The lease of this worker, a file in `directory`; it ends when the worker dies."""

    def __init__(self, directory: Path) -> None:
        self.id = f"{os.getpid()}-{os.urandom(6).hex()}"
        self._directory = directory
        self._file = self._open()

    def tend(self) -> None:
        """Put the file back if somebody took it away. Raises `OSError`."""
        with suppress(OSError):
            if os.path.samestat(os.fstat(self._file), self._path(self.id).stat()):
                return
        lost, self._file = self._file, self._open()
        os.close(lost)

    def is_alive(self, id_: str) -> bool:
        """Return whether the worker with that id lives; if it cannot be found out, it does."""
        if id_ == self.id:
            return True
        try:
            file = os.open(self._path(id_), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        except OSError:
            return True
        try:
            return is_locked(file)
        except OSError:
            return True
        finally:
            os.close(file)

    def sweep(self) -> None:
        """Remove the files of the dead."""
        for path in self._directory.glob(f"[!.]*{_ENDING}"):
            if not self.is_alive(path.name.removesuffix(_ENDING)):
                path.unlink(missing_ok=True)

    def close(self) -> None:
        """Let go: from now on the worker counts as gone."""
        self._path(self.id).unlink(missing_ok=True)
        os.close(self._file)

    def _path(self, id_: str) -> Path:
        return self._directory / f"{id_}{_ENDING}"

    def _open(self) -> int:
        with made_locked(self._path(self.id)) as file:
            return file
