"""uvicorn's requests, written without its upgrades: each reaches the application in its turn."""

import asyncio
from urllib.parse import unquote

import httptools

from plugin.server.http.uvicorn_private import HIGH_WATER_LIMIT, RequestResponseCycle
from plugin.server.http.write_coalescing import JoinedWrites


class Requests(JoinedWrites):
    """A connection that begins an answer for each head, and gives on what comes of its body.

    It leaves out what uvicorn asks for each request here and this service does not have: upgrades,
    a limit of concurrency, a path above the root, and a timer between requests. `since` is the time
    of the loop at which the last answer ended.
    """

    since: float

    def on_message_begin(self) -> None:
        """A request begins."""
        self.url = b""
        self.expect_100_continue = False
        self.headers = []
        self.scope = {  # type: ignore[typeddict-item]
            "type": "http",
            "asgi": {"version": self.asgi_version, "spec_version": "2.3"},
            "http_version": "1.1",
            "server": self.server,
            "client": self.client,
            "scheme": self.scheme,  # type: ignore[typeddict-item]
            "root_path": "",
            "headers": self.headers,
            "state": self.app_state.copy(),
        }

    def begin(self, method: bytes, version: str) -> None:
        """Answer the request whose head has come."""
        target = httptools.parse_url(self.url)
        raw_path = target.path
        path = raw_path.decode("ascii")
        scope = self.scope
        scope["method"] = method.decode("ascii")
        if version != "1.1":
            scope["http_version"] = version
        scope["path"] = unquote(path) if "%" in path else path
        scope["raw_path"] = raw_path
        scope["query_string"] = target.query or b""
        self.answer(keep_alive=version != "1.0" and self.parser.should_keep_alive())

    def answer(self, *, keep_alive: bool) -> None:
        """Have the application answer, after what was asked before."""
        before = self.cycle
        cycle = self.cycle = RequestResponseCycle(
            scope=self.scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=self.access_log,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=self.expect_100_continue,
            keep_alive=keep_alive,
            on_response=self.on_response_complete,
        )
        if before is None or before.response_complete:
            self._start_asgi_task(cycle, self.app)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((cycle, self.app))

    def on_body(self, body: bytes) -> None:
        """A piece of the body."""
        cycle = self.cycle
        if cycle.response_complete:
            return
        cycle.body += body
        if len(cycle.body) > HIGH_WATER_LIMIT:
            self.flow.pause_reading()
        cycle.message_event.set()

    def on_message_complete(self) -> None:
        """A request has come to its end."""
        if not self.cycle.response_complete:
            self.cycle.more_body = False
            self.cycle.message_event.set()

    def on_response_complete(self) -> None:
        """An answer has gone out: go on with the request that waits, or wait for the next."""
        self.server_state.total_requests += 1
        self.since = self.loop.time()
        if self.said_all:
            self.flow.resume_reading()  # what a refused caller still sends is dropped
        elif not self.transport.is_closing():
            self._go_on()

    def _go_on(self) -> None:
        self.flow.resume_reading()
        if self.pipeline:
            cycle, app = self.pipeline.pop()
            self._start_asgi_task(cycle, app)
