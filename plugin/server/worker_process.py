"""A worker as its parent sees it: started, heard, told to end."""

import json
import os
import re
import select
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

from plugin.server.drain import Drain, at_once
from plugin.server.parent import WHERE
from plugin.server.worker import send_order

if TYPE_CHECKING:
    from plugin.settings import Settings

COMMAND = (sys.executable, "-P", "-m", "plugin.server.worker")

_SPARE = 8.0
"""Seconds that a worker has for its end beyond the time that it is given for requests."""
_EXIT = 5.0
_ACCOUNT = 0.5
"""Seconds for which one that hangs is asked where."""
_FRAMES = 4
_FRAME = re.compile(rb'  File "(?:.*/)?([^"/]*/[^"/]*)", line (\d+) in (\S+)')
"""A line of the account: the file with its folder, the line, the function."""


class WorkerProcess:
    """One worker. It begins to import at once, and waits for `begin` with its settings."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - our own command
                [*COMMAND, str(theirs.fileno())],
                pass_fds=(theirs.fileno(),),
                env=_surroundings(),
                stdin=subprocess.DEVNULL,
                # Ctrl-C is for the parent, which tells its workers.
                start_new_session=True,
            )
        self.control = ours
        self.pid = self._process.pid
        self.began = self.heard = time.monotonic()
        self.checked = self.ready = self.closed = False
        self.ended: int | None = None
        self.cannot: str | None = None
        self.key: str | None = None
        self.overdue = float("inf")
        self._rest = b""
        self._frames = list[str]()

    def begin(
        self, listener: socket.socket, settings: "Settings", *, wants_key: bool = False
    ) -> None:
        """Give it what it waits for."""
        try:
            send_order(self.control, listener, settings, wants_key=wants_key)
        except OSError:
            return  # it has died; whoever reads sees that

    def hear(self) -> None:
        """Take in what it says; its end too."""
        try:
            got = self.control.recv(65_536)
        except OSError:
            got = b""
        if not got:
            self._reap()
            return
        self.heard = time.monotonic()
        *lines, self._rest = (self._rest + got).split(b"\n")
        for line in lines:
            if line.startswith(b"{"):
                self._take(json.loads(line))
            elif frame := _FRAME.match(line):
                self._frames.append((b"%b:%b in %b" % frame.groups()).decode(errors="replace"))

    def drain(self, order: Drain) -> None:
        """Tell it to end. One that does not serve yet just ends."""
        self.overdue = time.monotonic() + order.delay + order.limit + _SPARE
        if not self.ready:
            self._process.terminate()
            return
        try:
            self.control.sendall(order.line())
        except OSError:
            return  # it has ended

    def hurry(self) -> None:
        """Tell it to end without waiting for anything."""
        self.drain(at_once())

    def account(self) -> str:
        """Where it hangs, innermost first, as far as it can still tell."""
        self._process.send_signal(WHERE)
        deadline = time.monotonic() + _ACCOUNT
        while self.ended is None and (left := deadline - time.monotonic()) > 0:
            if select.select([self.control], [], [], left)[0]:
                self.hear()
        return ", from ".join(self._frames[:_FRAMES])

    def kill(self) -> None:
        """End it in spite of itself, if it has not ended."""
        if self.ended is None:
            self._process.kill()
            self._reap()

    @property
    def how(self) -> str:
        """How it ended, in words."""
        code = self.ended or 0
        return f"signal {-code}" if code < 0 else f"exit code {code}"

    def _take(self, said: dict[str, Any]) -> None:
        self.checked = said.get("checked", self.checked)
        self.ready = said.get("ready", self.ready)
        self.closed = said.get("closed", self.closed)
        self.key = said.get("key", self.key)
        self.cannot = said.get("cannot", self.cannot)

    def _reap(self) -> None:
        try:
            self.ended = self._process.wait(_EXIT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self.ended = self._process.wait()
        self.control.close()


def _surroundings() -> dict[str, str]:
    """The same modules are found, and no others that lie where we were started."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
