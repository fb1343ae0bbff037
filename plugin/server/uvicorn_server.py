"""uvicorn as a worker runs it: told by its parent when to end, and in good order then."""

import asyncio
import contextlib
import logging
import socket
import sys
import time
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING

import uvicorn

from plugin.server.drain import Drain, at_once
from plugin.server.http.acceptor import Acceptor
from plugin.server.http.protocol import GuardedHttp
from plugin.server.http.timeouts import Times, Watch, open_files
from plugin.server.http.uvicorn_private import HttpToolsProtocol

if TYPE_CHECKING:
    from plugin.api.draining import Draining
    from plugin.server.parent import Parent

_LOOK = 0.02
_SECOND = 10
"""How often uvicorn looks in a second."""
STARTUP_FAILURE = 3
"""The exit code of a worker whose application did not start."""
_LAST_WORDS = 2.0
"""Seconds in which a cancelled request says that it was, and is settled."""

_FLUSH = 0.5


class DrainServer(uvicorn.Server):
    """Serves until `drain`, and ends when what was under way has been answered.

    `layer` is the application; `ready` is called as soon as requests are answered, `closed` as
    soon as no more are accepted.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        layer: "Draining",
        times: Times,
        ready: Callable[[], None],
        closed: Callable[[], None],
    ) -> None:
        super().__init__(config)
        self._layer = layer
        self._times = times
        self._ready = ready
        self._closed = closed
        self._order: Drain | None = None
        self._log = logging.getLogger("plugin.worker")

    def serve_told_by(self, parent: "Parent", listener: socket.socket) -> None:
        """Serve `listener` until `parent` gives the order to drain, or is gone."""
        self._parent = parent
        self.run(sockets=[listener])

    def drain(self, order: Drain) -> None:
        """End in the way that is ordered; an order that comes later replaces an earlier one."""
        if self._order is None:
            self._layer.drain()
        self._order = order
        self.should_exit = True

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Leave signals to the process."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to serve `sockets`, and to listen to the parent."""
        loop = asyncio.get_running_loop()
        await self.lifespan.startup()
        if self.lifespan.should_exit:
            sys.exit(STARTUP_FAILURE)
        descriptors = open_files()
        state = self.server_state
        self._watch = Watch(state.connections, self._times, descriptors, loop.time)

        def protocol() -> GuardedHttp:
            return GuardedHttp(self.config, state, self.lifespan.state)

        self._acceptors = [Acceptor(listener, protocol, self._watch) for listener in sockets or []]
        self.started = True
        self._parent.obeyed_by(lambda order: loop.call_soon_threadsafe(self.drain, order))
        self._ready()

    async def on_tick(self, counter: int) -> bool:
        """Ten times a second, from the event loop: the parent sees that it goes round."""
        self._parent.sign()
        if counter % _SECOND == 0:
            self._watch.look()
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop accepting, wait for what is under way, cut short what takes too long."""
        began = time.monotonic()
        await self._wait(lambda: began + self._told.delay, lambda: False)
        self._stop_accepting(sockets or [])
        began = time.monotonic()
        await self._wait(lambda: began + self._told.limit, lambda: self._idle(began))
        await self._cut_short()
        await self.lifespan.shutdown()

    @property
    def _told(self) -> Drain:
        return self._order or at_once()

    async def _wait(self, until: Callable[[], float], done: Callable[[], bool]) -> None:
        # uvicorn tells nobody that a connection has ended.
        while time.monotonic() < until() and not done():
            self._parent.sign()
            await asyncio.sleep(_LOOK)

    def _stop_accepting(self, sockets: list[socket.socket]) -> None:
        for acceptor in self._acceptors:
            acceptor.close()
        for listener in sockets:
            listener.close()
        self._closed()

    def _idle(self, began: float) -> bool:
        """Whether nothing is under way; connections end with the answer to their last request.

        Those without a request get a moment: one may be on its way to us.
        """
        lingering = time.monotonic() < began + self._told.linger
        for connection in list(self.server_state.connections):
            if isinstance(connection, HttpToolsProtocol) and not (
                lingering and _waits_for_a_request(connection)
            ):
                connection.shutdown()
        return not self.server_state.connections and not self.server_state.tasks

    async def _cut_short(self) -> None:
        """End what is left: with an error event or an answer where the caller takes it."""
        tasks = set(self.server_state.tasks)
        if tasks:
            self._log.warning(
                "%d requests took longer than there was time, and were ended", len(tasks)
            )
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks, timeout=_LAST_WORDS)
        for transport in self._transports():
            transport.close()
        flushed = time.monotonic() + _FLUSH
        await self._wait(lambda: flushed, lambda: not self.server_state.connections)
        # A caller who takes nothing keeps its request from ending.
        for transport in self._transports():
            transport.abort()
        if unfinished := {task for task in tasks if not task.done()}:
            await asyncio.wait(unfinished, timeout=_LAST_WORDS)

    def _transports(self) -> list[asyncio.Transport]:
        return [
            connection.transport
            for connection in self.server_state.connections
            if isinstance(connection, HttpToolsProtocol)
        ]


def _waits_for_a_request(connection: HttpToolsProtocol) -> bool:
    return connection.cycle is None or connection.cycle.response_complete
