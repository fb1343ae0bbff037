"""Whether the worker that began something still lives: a locked file for each."""

import fcntl
import os
from contextlib import suppress
from pathlib import Path

_ENDING = ".lock"


class Holder:
    """One worker's file in `directory`; the system takes its lock away when the worker dies."""

    def __init__(self, directory: Path) -> None:
        self.name = f"{os.getpid()}-{os.urandom(6).hex()}"
        self._directory = directory
        self._file = self._open()

    def tend(self) -> None:
        """Put the file back if somebody took it away. Raises `OSError`."""
        with suppress(OSError):
            if os.path.samestat(os.fstat(self._file), self._path(self.name).stat()):
                return
        lost, self._file = self._file, self._open()
        os.close(lost)

    def lives(self, name: str) -> bool:
        """Whether the worker of that name lives; one that cannot be asked is taken for alive."""
        if name == self.name:
            return True
        try:
            file = os.open(self._path(name), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        except OSError:
            return True
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
        else:
            return False
        finally:
            os.close(file)

    def sweep(self) -> None:
        """Remove the files of the dead."""
        for path in self._directory.glob(f"[!.]*{_ENDING}"):
            if not self.lives(path.name.removesuffix(_ENDING)):
                path.unlink(missing_ok=True)

    def close(self) -> None:
        """Let go: from now on the worker counts as gone."""
        self._path(self.name).unlink(missing_ok=True)
        os.close(self._file)

    def _path(self, name: str) -> Path:
        return self._directory / f"{name}{_ENDING}"

    def _open(self) -> int:
        """Make the file, locked from the moment it can be seen."""
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self._path(self.name)
        hidden = path.with_name(f".{path.name}")
        file = os.open(hidden, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        hidden.rename(path)
        return file
