"""The workers of a service: kept alive, replaced one by one, ended in good order."""

import logging
import selectors
import socket
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from plugin.server.drain import AT_RESTART, AT_STOP, Drain
from plugin.server.signals import STOPS, Signals
from plugin.server.worker_process import WorkerProcess

if TYPE_CHECKING:
    from plugin.settings import Settings

LONGEST_ANSWER = 600.0
"""Seconds that an answer under way has at a restart; nobody waits for it."""

_READY, _CLOSED = 60.0, 5.0
"""Seconds in which a worker must be ready to serve, and must have stopped accepting."""
_STEADY = 5.0  # after so many seconds a death is no longer one of a row
_LONGEST_PAUSE = 30.0
_LOOK = 1.0
"""Seconds after which we look at least who gives no sign of life."""
_ABSENT = 5.0
"""Seconds after which it was we who heard nobody: stopped, or busy otherwise."""
MOST = 60
"""Processes at once, those that end their answers too: so many can share counts, and commands."""
_TWICE = 0.5
"""Signals closer together than this are one: a terminal and a wrapper may both pass it on."""


class Workers:
    """The processes that serve `listener`. `heard` are the signals that came meanwhile."""

    def __init__(self, listener: socket.socket, settings: "Settings", signals: Signals) -> None:
        self.settings = settings
        self.heard = list[int]()
        self._listener = listener
        self._signals = signals
        self._wanted = 0
        self._serving = list[WorkerProcess]()
        self._leaving = list[WorkerProcess]()
        self._failures = 0
        self._not_before = 0.0
        self._looked = time.monotonic()
        self._log = logging.getLogger("plugin.workers")
        self._selector = selectors.DefaultSelector()
        self._selector.register(signals.wake, selectors.EVENT_READ)

    @property
    def stopping(self) -> bool:
        """Whether a signal has come that ends the service."""
        return not STOPS.isdisjoint(self.heard)

    def asked(self) -> set[int]:
        """The signals that ask for something else, since the last time."""
        asked = set(self.heard) - STOPS
        self.heard = [one for one in self.heard if one in STOPS]
        return asked

    def start(
        self, first: WorkerProcess, checked: Callable[[], None], *, wants_key: bool = False
    ) -> str | None:
        """Start all; return when the first of them serves, with why not where it does not.

        `checked` is called as soon as it has found nothing wrong with the settings.
        """
        self._admit(first, wants_key=wants_key)
        self._until(first, lambda: first.checked)
        if first.checked:
            checked()
            for _ in range(self.settings.workers - 1):
                self._serving.append(self._new(self.settings))
            self._until(first, lambda: first.ready)
        if not first.ready:
            return self._why_not(first)
        self._serving.insert(0, first)
        self._wanted = self.settings.workers
        return None

    def pump(self, seconds: float) -> None:
        """Take what happens next, in a second at most."""
        for key, _ in self._selector.select(max(0.0, min(seconds, self._due(), _LOOK))):
            if key.data is None:
                self.heard += self._signals.taken()
            else:
                self._hear(key.data)
        now = time.monotonic()
        for worker in [one for one in self._leaving if one.overdue < now]:
            self._log.warning("worker %d does not end and is killed", worker.pid)
            worker.kill()
            self._gone(worker)
        self._end_the_silent(now)
        if now >= self._not_before and not self.stopping:
            for _ in range(self._wanted - len(self._serving)):
                self._serving.append(self._new(self.settings))

    def replace(self, settings: "Settings", accepted: Callable[[], None]) -> str | None:
        """New workers for old ones, one by one; why not, where one does not serve.

        The first that serves proves the settings: `accepted` is called, and they are ours.
        """
        old = list(self._serving)
        for number in range(settings.workers):
            self._make_room()
            new = self._new(settings)
            self._until(new, lambda new=new: new.ready)  # type: ignore[misc]
            if not new.ready:
                return self._why_not(new)
            self._log.info("worker %d serves", new.pid)
            self._serving.append(new)
            if number == 0:
                self.settings = settings
                accepted()
            if number < len(old):
                self._retire(old[number])
        self._wanted = settings.workers
        for worker in self._serving[: -self._wanted]:
            self._retire(worker)
        return None

    def settle(self, seconds: float) -> None:
        """Wait for those that leave, for so long."""
        deadline = time.monotonic() + seconds
        while self._leaving and not self.stopping and (left := deadline - time.monotonic()) > 0:
            self.pump(left)

    def stop(self) -> None:
        """End all; a second signal ends what is under way as well."""
        self._listener.close()
        self._wanted = 0
        began, self.heard = time.monotonic(), []
        order = Drain(self.settings.drain_seconds, AT_STOP, self.settings.drain_delay)
        self._leaving += self._serving
        self._serving = []
        for worker in self._leaving:
            worker.drain(order)
        while self._leaving:
            self.pump(1.0)
            if self.stopping and time.monotonic() > began + _TWICE:
                for worker in self._leaving:
                    worker.hurry()
            self.heard = []

    def _end_the_silent(self, now: float) -> None:
        """End those whose event loop no longer goes round."""
        absent, self._looked = now - self._looked > _ABSENT, now
        for worker in list(self._serving):
            if absent:
                worker.heard = now
            patience = self.settings.hang_seconds
            if now - worker.heard < (patience if worker.ready else max(patience, _READY)):
                continue
            where = worker.account() or "it cannot tell where"
            self._log.error(
                "worker %d gave no sign of life for %d s and is ended; its event loop hangs: %s",
                *(worker.pid, patience, where),
            )
            worker.kill()
            self._gone(worker)

    def _new(self, settings: "Settings") -> WorkerProcess:
        worker = WorkerProcess()
        self._admit(worker, settings)
        return worker

    def _admit(
        self, worker: WorkerProcess, settings: "Settings | None" = None, *, wants_key: bool = False
    ) -> None:
        self._selector.register(worker.control, selectors.EVENT_READ, worker)
        worker.begin(self._listener, settings or self.settings, wants_key=wants_key)

    def _make_room(self) -> None:
        """Wait for those that leave, for as long as at a stop, then cut the oldest short."""
        deadline = time.monotonic() + self.settings.drain_seconds
        while len(self._serving) + len(self._leaving) >= MOST and not self.stopping:
            if time.monotonic() >= deadline:
                oldest = self._leaving[0]
                self._log.warning(
                    "worker %d still answers, and makes room: %d processes are the most",
                    *(oldest.pid, MOST),
                )
                oldest.hurry()
                self._until(oldest, lambda: False)
            else:
                self.pump(1.0)

    def _until(
        self, worker: WorkerProcess, found: Callable[[], bool], seconds: float = _READY
    ) -> None:
        deadline = time.monotonic() + seconds
        while not found() and worker.ended is None and not self.stopping:
            if time.monotonic() > deadline:
                return
            self.pump(1.0)

    def _why_not(self, worker: WorkerProcess) -> str:
        """The reason for which a worker does not serve; it is ended."""
        if self.stopping:
            reason = "the service is stopping"
        elif worker.ended is None:
            reason = f"a new worker was not ready after {_READY:.0f} seconds"
        else:
            reason = worker.cannot or f"a new worker ended at its start ({worker.how}); see the log"
        if worker.ended is None:
            worker.kill()
            self._gone(worker)
        return reason

    def _retire(self, worker: WorkerProcess) -> None:
        if worker not in self._serving:
            return  # it has died meanwhile
        self._serving.remove(worker)
        self._leaving.append(worker)
        worker.drain(Drain(max(LONGEST_ANSWER, self.settings.drain_seconds), AT_RESTART))
        self._until(worker, lambda: worker.closed, _CLOSED)

    def _hear(self, worker: WorkerProcess) -> None:
        worker.hear()
        if worker.ended is not None:
            self._gone(worker)

    def _gone(self, worker: WorkerProcess) -> None:
        self._selector.unregister(worker.control)
        if worker in self._leaving:
            self._leaving.remove(worker)
            self._log.log(
                logging.INFO if self._wanted else logging.DEBUG, "worker %d has ended", worker.pid
            )
        if worker in self._serving:
            self._serving.remove(worker)
            self._died(worker)

    def _died(self, worker: WorkerProcess) -> None:
        """Say it, and wait with the next one if they die in a row."""
        now = time.monotonic()
        steady = worker.ready and now - worker.began > _STEADY
        self._failures = 0 if steady else self._failures + 1
        in_a_row = self._failures > 1
        pause = min(0.5 * 2**self._failures, _LONGEST_PAUSE) if in_a_row else 0.0
        self._not_before = now + pause
        again = f"in {pause:.0f} s" if pause else "at once"
        why = worker.cannot or worker.how
        self._log.warning("worker %d died (%s); another is started %s", worker.pid, why, again)

    def _due(self) -> float:
        """Seconds until something is to be done without an event."""
        now = time.monotonic()
        due = [worker.overdue - now for worker in self._leaving]
        if len(self._serving) < self._wanted:
            due.append(self._not_before - now)
        return min(due, default=float("inf"))
