"""The service as its parent process: workers, engine, ledger, and what signals ask of them."""

import logging
import os
import socket
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from os import getpid
from typing import TYPE_CHECKING

from plugin.errors import CannotRun
from plugin.ledger.acts import note_act
from plugin.server import status_file
from plugin.server.ledger_writer import LedgerBeside
from plugin.server.signals import RELOAD, Signals, has_terminal
from plugin.server.status_file import Standing
from plugin.server.worker_process import WorkerProcess
from plugin.server.workers import Workers
from plugin.settings.env_file import values

if TYPE_CHECKING:
    from plugin.engines.llama.process.supervisor import Options, Supervisor
    from plugin.settings import Settings


def configure_log(level: str) -> None:
    """Write what is logged as lines of JSON on stderr."""
    import logging.config

    from plugin.telemetry.log_config import log_config

    logging.config.dictConfig(log_config(level))


class EngineBeside:
    """The embedded engine, as the settings want it; the last to end."""

    def __init__(self) -> None:
        self._options: Options | None = None
        self._supervisor: Supervisor | None = None

    def follow(self, settings: "Settings") -> None:
        """Have the engine that is set; one that is set as before goes on."""
        wanted = None
        if settings.engine != "none":
            from plugin.engines.llama.queues import SPARE
            from plugin.server.engine import options

            wanted = options(settings, spare=SPARE)
        if wanted == self._options:
            return
        self.stop()
        if wanted is not None:
            from plugin.engines.llama.process.state import FILE
            from plugin.engines.llama.process.supervisor import Supervisor

            self._supervisor = Supervisor(wanted, settings.data_dir / FILE)
            self._supervisor.start()
        self._options = wanted

    def stop(self) -> None:
        """End it, and wait until it is gone."""
        if self._supervisor is not None:
            self._supervisor.stop()
        self._supervisor = self._options = None


@dataclass(frozen=True, slots=True)
class Given:
    """The settings as a start found them, before a port was chosen, and where they came from.

    `read` reads them anew at a reload; it raises `CannotRun` for a value that is not allowed.
    `options` are the settings that the command line gave, `file` is what `.env` held.
    """

    asked: "Settings"
    read: "Callable[[], Settings]"
    options: Collection[str] = ()
    file: Mapping[str, str] = field(default_factory=values)


class Service:
    """One parent, from its start to its stop."""

    def __init__(
        self,
        listener: socket.socket,
        settings: "Settings",
        given: Given,
        signals: Signals,
    ) -> None:
        self._workers = Workers(listener, settings, signals)
        self._given = given
        self._engine = EngineBeside()
        self._ledger = LedgerBeside()
        self._standing = Standing(getpid())
        self._named = False
        self._had_terminal = has_terminal()
        self._log = logging.getLogger("plugin.service")

    def run(
        self, first: WorkerProcess, serving: Callable[[str | None], None], *, wants_key: bool
    ) -> None:
        """Serve until a signal; a clean stop returns. `serving` is given the first API key."""
        settings = self._workers.settings
        try:
            # The name is given back before the stop: whoever comes next has it.
            with ExitStack() as held:

                def checked() -> None:
                    # Before a worker answers: whoever sees the service ready can reload it.
                    self._named = held.enter_context(status_file.ours(settings.data_dir))
                    self._say(self._standing)
                    self._accept(settings)

                problem = self._workers.start(first, checked, wants_key=wants_key)
                if problem is None:
                    serving(first.key)
                    self._ledger.follow(settings)
                    self._heed()
            if problem is not None and not self._workers.stopping:
                raise CannotRun(problem)
        finally:
            self._workers.stop()
            self._ledger.stop()
            self._engine.stop()

    def _heed(self) -> None:
        """Do what signals ask, until one asks to stop."""
        if not self._named:
            self._log.warning(
                "another service has this data directory; `plugin reload` and `plugin restart` "
                "reach that one"
            )
        while not self._workers.stopping:
            asked = self._workers.asked()
            if RELOAD in asked and self._had_terminal and not has_terminal():
                return  # the terminal has gone: that is what the signal says
            if asked:
                self._round(reload=RELOAD in asked)
            else:
                self._workers.pump(3600.0)

    def _round(self, *, reload: bool) -> None:
        self._say(replace(self._standing, begun=self._standing.begun + 1))
        self._notes: Sequence[str] = ()
        # Those of the last round may still end their answers: no more than twice the workers.
        self._workers.settle(self._workers.settings.drain_seconds)
        try:
            problem = self._replace(self._read() if reload else self._workers.settings)
        except CannotRun as error:
            problem = error.detail
        act = "settings reloaded" if reload else "workers restarted"
        try:
            data_dir = self._workers.settings.data_dir
            note_act(data_dir, act, "service", refused=problem is not None)
        except OSError as error:
            self._log.warning("this act is not in the ledger: %s", error)
        if problem is None:
            self._log.info("every worker is a new one")
        else:
            self._log.error("the workers stay as they are: %s", problem)
        begun, notes = self._standing.begun, self._notes if problem is None else ()
        self._say(replace(self._standing, ended=begun, outcome=problem or "", notes=notes))

    def _replace(self, settings: "Settings") -> str | None:
        def accepted() -> None:
            self._accept(settings)
            self._ledger.follow(settings)

        return self._workers.replace(settings, accepted)

    def _accept(self, settings: "Settings") -> None:
        configure_log(settings.log_level)
        self._engine.follow(settings)

    def _read(self) -> "Settings":
        """The settings as they are now; raises `CannotRun` for those that are not allowed."""
        from plugin.settings.notices import FIXED, warnings, without_effect

        given, read, now = self._given, self._given.read(), self._workers.settings
        held = without_effect(read, given.asked, given.file, os.environ, given.options)
        self._notes = [*held, *warnings(read, os.environ)]
        for line in self._notes:
            self._log.warning("%s", line)
        return read.model_copy(update={name: getattr(now, name) for name in FIXED})

    def _say(self, standing: Standing) -> None:
        self._standing = standing
        if self._named:
            status_file.write(self._workers.settings.data_dir, standing)
