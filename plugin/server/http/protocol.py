"""HTTP/1.1 connections that read what proxies read: no trailers, no upgrades, no endless heads."""

import asyncio
from typing import Any, NoReturn

import httptools
from uvicorn import Config

from plugin.api.body_limit import FAULT
from plugin.errors import PluginError
from plugin.server.http.limits import (
    FRAMING_BYTES,
    HEAD_BYTES,
    HEADER_BYTES,
    HEADER_FIELDS,
    OF_OPERATORS,
    URL_BYTES,
    Headers,
    bytes_of,
    explained,
    head_fault,
    headers_too_large,
    no_place,
    no_tunnel,
    url_too_long,
    with_path,
)
from plugin.server.http.requests import Requests
from plugin.server.http.uvicorn_private import ServerState

NOTHING, HEAD, BODY = range(3)
"""What of a request the connection is in the middle of."""

_UNKNOWN = "UNKNOWN"
"""The method of a request whose first line could not be read."""

_SHOWN = 1_000


_EXPECT, _HOST, _CODING = b"expect", b"host", b"transfer-encoding"
_NOTED = frozenset({_EXPECT, _HOST, _CODING})


class _Refused(Exception):  # noqa: N818 - it only ends the parser's work
    """The parser shall stop: `_fault` of the connection says why."""


class GuardedHttp(Requests):
    """uvicorn's protocol, for callers who mean harm and with no proxy before it.

    What it refuses is a request of its own to the application, with the reason as `FAULT` in its
    scope: so the refusal has the form, the id and the record of any other, and its turn after the
    requests before it. The connection ends with it.
    """

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.part = NOTHING
        self.since = self.loop.time()
        """When what is waited for began, or when a byte of a body came last."""
        self.refused = False
        self.last = False
        """Whether no more connections may be accepted, and this one is for operators alone."""
        self._sent, self._sent_at = 0, self.since
        self._fault: PluginError | None = None
        self._upgrades = False
        self._begun = 0
        self._packet = 0
        self._fed = 0
        self._framing = 0
        self._trailers = self._trailer_bytes = 0
        self._noted: Headers = []
        self._usual: Headers | None = None
        """The Host and Transfer-Encoding of the last request that was right."""

    def data_received(self, data: bytes) -> None:
        """Read requests; nothing more after one that was refused."""
        if self.refused:
            return
        before = self.part
        self._begun, self._packet = 0, len(data)
        if before == BODY:
            self._framing += len(data)
        try:
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserUpgrade as upgrade:
                self._feed_without_upgrade(memoryview(data)[upgrade.args[0] :])
        except httptools.HttpParserError as error:
            self.refuse(self._fault or explained(error))
            return
        if self.part != NOTHING:
            self._in_the_middle(before)

    def _feed_without_upgrade(self, rest: memoryview) -> None:
        while True:
            self._read_without_upgrade()
            try:
                self.parser.feed_data(rest)
            except httptools.HttpParserUpgrade as upgrade:
                rest = rest[upgrade.args[0] :]
            else:
                return

    def _read_without_upgrade(self) -> None:
        """Read the head again without its Upgrade: the parser would leave out the body."""
        method, version = self.parser.get_method(), self.parser.get_http_version().encode()
        head = [b"%b %b HTTP/%b\r\n" % (method, self.url, version)]
        head += [
            b"%b: %b\r\n" % (name, value) for name, value in self.headers if name != b"upgrade"
        ]
        self._upgrades = False
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self.parser.feed_data(b"".join((*head, b"\r\n")))

    def _in_the_middle(self, before: int) -> None:
        """Count what came of a head or a body that has not ended; `before` is where it began."""
        if self.part == HEAD:
            if self._begun == 0 or (self._begun == 1 and before == NOTHING):
                self._fed += self._packet
            if self._begun:
                self.since = self.loop.time()
            if self._fed > HEAD_BYTES:
                self.refuse(headers_too_large())
            return
        self.since = self.loop.time()
        if self._framing > HEADER_BYTES:
            self.refuse(headers_too_large())

    # What the parser reports

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self.part = HEAD
        self._begun += 1
        self._fed = self._framing = 0
        self._noted = []

    def on_url(self, url: bytes) -> None:
        """A piece of the URL."""
        self.url += url
        if len(self.url) > URL_BYTES:
            self._stop(url_too_long())

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header field. One that comes after the body is counted, and not kept."""
        if self.part != HEAD:
            self._trailer(name, value)
            return
        name = name.lower()
        if name in _NOTED:
            self._note(name, value)
        self.headers.append((name, value))
        if len(self.headers) > HEADER_FIELDS:
            self._stop(headers_too_large())

    def on_headers_complete(self) -> None:
        """Begin to answer, if the head is as it should be."""
        spread = self._begun == 0
        if (spread or self._packet > HEADER_BYTES) and bytes_of(self.headers) > HEADER_BYTES:
            self._stop(headers_too_large())
        method, version = self.parser.get_method(), self.parser.get_http_version()
        if self._noted != self._usual or not self.url.startswith(b"/") or version != "1.1":
            self._check(method, version)
        if method == b"CONNECT":
            self._stop(no_tunnel())
        if self.last and self.url.partition(b"?")[0] not in OF_OPERATORS:
            self._stop(no_place())
        if self.parser.should_upgrade():
            self._upgrades = True
            return
        self.begin(method, version)
        self.part = BODY
        self._trailers = self._trailer_bytes = 0

    def on_body(self, body: bytes) -> None:
        """A piece of the body."""
        self._framing = max(0, self._framing - len(body) * (1 + FRAMING_BYTES))
        super().on_body(body)

    def on_message_complete(self) -> None:
        """A request has come to its end; one with an Upgrade is read again."""
        if self._upgrades:
            return
        self.part = NOTHING
        super().on_message_complete()

    def _check(self, method: bytes, version: str) -> None:
        hosts = [value for name, value in self._noted if name == _HOST]
        codings = [value.lower() for name, value in self._noted if name == _CODING]
        fault = head_fault(method, version, self.url, hosts, codings)
        if fault is not None:
            self._stop(fault)
        self.url = with_path(self.url)
        self._usual = self._noted if version == "1.1" else None

    def _note(self, name: bytes, value: bytes) -> None:
        if name != _EXPECT:
            self._noted.append((name, value))
        elif value.lower() == b"100-continue":
            self.expect_100_continue = True

    def _trailer(self, name: bytes, value: bytes) -> None:
        self._trailers += 1
        self._trailer_bytes += bytes_of([(name, value)])
        if self._trailers > HEADER_FIELDS or self._trailer_bytes > HEADER_BYTES:
            self._stop(headers_too_large())

    # What is waited for

    @property
    def has_nothing_to_do(self) -> bool:
        """Whether nothing is asked of us, though something may have begun to come."""
        done = self.cycle is None or self.cycle.response_complete
        return done and not self.transport.is_closing()

    @property
    def waits_for_us(self) -> bool:
        """Whether the caller can send nothing now, or has no more to send until we answer."""
        if self.flow.read_paused:
            return True
        if self.part == BODY:
            return self.cycle.waiting_for_100_continue
        return self.part == NOTHING and not (self.cycle is None or self.cycle.response_complete)

    def give_up(self) -> None:
        """End the connection without a word."""
        self.stop_lingering()
        if self.transport.get_write_buffer_size():
            self.transport.abort()  # the caller does not read what it was answered
        else:
            self.transport.close()

    def unread_seconds(self, now: float) -> float:
        """Seconds since the caller last took a byte of what waits for it; 0 if nothing waits.

        It must be asked now and then: what was taken in between is known by the next look.
        """
        waiting = self.transport.get_write_buffer_size()
        sent = self.written - waiting
        if not waiting or sent != self._sent:
            self._sent, self._sent_at = sent, now
        return now - self._sent_at

    def answer(self, *, keep_alive: bool) -> None:
        """Have the application answer; on one of the last connections once."""
        super().answer(keep_alive=keep_alive and not self.last)

    # Refusals

    def _stop(self, error: PluginError) -> NoReturn:
        self._fault = error
        raise _Refused

    def refuse(self, error: PluginError) -> None:
        """Answer with `error` once what was asked before is answered, then close."""
        self.refused = True
        self.since = self.loop.time()
        if not self.last:  # the next operator waits for its place
            self.linger()
        if self.part == BODY:
            # The application has this request already, and meets the fault in its body.
            self.scope[FAULT] = error  # type: ignore[literal-required]
            self.cycle.keep_alive = False
            self.cycle.message_event.set()
            if self.cycle.response_complete:
                self.flow.resume_reading()
                self.transport.close()
            return
        if self.part == NOTHING:
            super().on_message_begin()
        self.part = NOTHING
        self._answer_refused(error)

    def _answer_refused(self, error: PluginError) -> None:
        path = self.url[:_SHOWN].partition(b"?")[0].decode("latin-1")
        self.scope["method"] = self.parser.get_method().decode() if self.url else _UNKNOWN
        self.scope["path"], self.scope["raw_path"] = path, path.encode("latin-1")
        self.scope["query_string"] = b""
        self.scope[FAULT] = error  # type: ignore[literal-required]
        self.expect_100_continue = False
        self.answer(keep_alive=False)
        self.cycle.more_body = False
