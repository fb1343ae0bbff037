"""A service on one data directory that a test can stop and start again."""

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path

from tests.journeys.running import Address, Running, Settings, running


class Restartable:
    """`plugin serve`; after a stop it starts again as soon as a test asks for it."""

    def __init__(self, directory: Path, workers: int, settings: Settings) -> None:
        self.directory = directory
        self._workers = workers
        self._settings = settings
        self._stack = contextlib.ExitStack()
        self._starting = threading.Lock()
        self._running: Running | None = None

    @property
    def running(self) -> Running:
        """The process that serves now."""
        with self._starting:
            if self._running is None:
                arguments = ("serve", "--workers", str(self._workers))
                entering = running(self.directory, *arguments, settings=self._settings)
                self._running = self._stack.enter_context(entering)
            return self._running

    @property
    def address(self) -> Address:
        """Where the service listens; after each start this is another port."""
        return self.running.address

    def stop(self, workers: int | None = None) -> None:
        """End the service in good order; it starts again with so many workers, or as many."""
        self._workers = workers or self._workers
        self._running = None
        self._stack.close()


@contextlib.contextmanager
def restartable(
    directory: Path, workers: int, settings: Settings | None = None
) -> Iterator[Restartable]:
    """Give a service that starts when it is needed, and end it."""
    service = Restartable(directory, workers, settings or {})
    try:
        yield service
    finally:
        service.stop()
