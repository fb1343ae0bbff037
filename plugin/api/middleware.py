"""Request id and access log, as pure ASGI."""

import re
from collections.abc import Callable, Sequence
from os import urandom
from random import Random
from typing import Protocol

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from plugin.api.doors import REST, Door, door_of
from plugin.api.errors.handlers import Problem
from plugin.api.limit_headers import limit_headers
from plugin.api.local_path import local_path
from plugin.api.waiting import left
from plugin.errors import LimitReached, UpstreamRefused
from plugin.gate.admission import WHOLE, Admission, Ending
from plugin.gate.refusals import Standing
from plugin.telemetry.record import RequestRecord
from plugin.telemetry.traces import RequestTrace, Traces
from plugin.trail import Trail, current

_SANE_ID = re.compile(rb"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")

SECRET = re.compile(rb"gpk_|(?<![A-Za-z0-9])sk-|eyJ[A-Za-z0-9_-]*\.")
"""Part of an API key or a token, which callers put into the wrong header by mistake."""


# Ids are no secrets; to ask the system for each was a hundredth of a request.
_ids = Random(urandom(32))  # noqa: S311

CALLER_LEFT, BROKEN_OFF = "caller left", "broken off"
"""What the record of a request says about its end; nothing where all was said."""


class AccessRecords(Protocol):
    """Where one record a request goes."""

    def write(self, record: RequestRecord, exchange: "Exchange") -> None:
        """Take the record of a request that has ended, at once."""


_TOLD = frozenset({401, 403, 405, 413, 429, 501, 503, 504})
"""Statuses whose text is ours alone, and repeats nothing that a caller or an upstream wrote."""


class Traffic:
    """What is under way in this process: requests, and among them event streams."""

    __slots__ = ("active", "streams")

    def __init__(self) -> None:
        self.active = 0
        self.streams = 0


class Exchange(Trail):
    """One request on its way: its id, and what has been answered so far. In `plugin.exchange`.

    The gate leaves here what it let in; that is settled before the last byte of the answer goes
    out.
    """

    __slots__ = (
        "_elapsed",
        "_send",
        "admission",
        "admitted",
        "announced",
        "door",
        "receive",
        "record",
        "standing",
        "streaming",
        "trace",
        "traffic",
    )

    def __init__(
        self,
        send: Send,
        record: RequestRecord,
        elapsed: Callable[[], float],
        door: Door = REST,
        traffic: Traffic | None = None,
    ) -> None:
        super().__init__(record.request_id)
        self._send = send
        self._elapsed = elapsed
        self.record = record
        self.door = door
        self.traffic = traffic
        self.streaming = False
        self.admission: Admission | None = None
        self.standing: Sequence[Standing] = ()
        """Where the caller's limits stand, for the headers."""
        self.admitted = False
        self.announced = 0
        """The bytes of the body, as `content-length` says."""
        self.receive: Receive | None = None
        """Where the caller is seen to leave, once an operation that only reads has its body."""
        self.trace: RequestTrace | None = None

    @property
    def status(self) -> int | None:
        """The status that was answered; None before an answer begins."""
        return self.record.status

    async def send(self, message: Message) -> None:
        """Pass an answer on, with the request id among its headers."""
        if message["type"] == "http.response.start":
            self.record.status = message["status"]
            headers = message.get("headers", ())
            message["headers"] = [*headers, (b"x-request-id", self.request_id.encode())]
            message["headers"] += self.door.headers(self._elapsed())
            if self.door.shows_all_limits or self.standing:
                openai = self.door.shows_all_limits
                message["headers"] += limit_headers(self.standing, openai=openai)
        elif message["type"] == "http.response.body":
            self.record.size += len(message.get("body", b""))
            if self.admission is not None:
                if message.get("more_body", False):
                    self.admission.streams()
                else:
                    self.settle(WHOLE)
        await self._send(message)

    async def left(self) -> None:
        """Raise `ClientDisconnect` as soon as the caller leaves an operation that only reads."""
        if self.receive is None:
            await super().left()
        else:
            await left(self.receive)
            raise ClientDisconnect

    def settle(self, ended: str) -> None:
        """Tell the gate how it ended, the first time; the record may know better than `ended`."""
        admission = self.admission
        if admission is None:
            return
        self.admission, self.admitted = None, True
        record = self.record
        answered = record.answered_by
        ending = Ending(
            record.status,
            record.ended or ended,
            record.tokens_in or 0,
            record.tokens_out or 0,
            record.model,
            None if answered is None else str(answered),
        )
        record.units = admission.settle(ending, self.way) or None

    def failed(self, answer: Problem, what: str = "refused") -> None:
        """Remember the error that it is answered with, or breaks off with, before that is sent."""
        self.record.code = answer.code
        # an upstream's words may repeat what the caller sent
        ours = answer.status in _TOLD and not isinstance(answer.error, UpstreamRefused)
        told = {"text": answer.detail} if ours else {}
        if isinstance(answer.error, LimitReached):
            self.standing = answer.error.standing
            self.record.limit = told["limit"] = answer.error.limit
        self.happened(what, status=self.door.status_of(answer), code=answer.code, **told)

    def first_piece(self) -> None:
        """The first piece of an event stream goes out."""
        if self.traffic is not None and not self.streaming:
            self.streaming = True
            self.traffic.streams += 1
        if self.door.serves_models:
            self.record.first_ms = round(self._elapsed() * 1000, 2)


class RequestLog:
    """Gives each request an id, its own where it brought a sane one, and writes one record of it.

    The record holds no header, no query and no path but the route's template. Its client is the
    other end of the connection, or whom a trusted proxy names.
    """

    def __init__(
        self,
        app: ASGIApp,
        records: AccessRecords | None,
        clock: Callable[[], float],
        *,
        traces: Traces | None = None,
        traffic: Traffic | None = None,
    ) -> None:
        self._app = app
        self._records = records
        self._clock = clock
        self._traces = traces
        self._traffic = traffic or Traffic()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request; everything else passes."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = self._clock()

        def elapsed() -> float:
            return self._clock() - started

        traffic = self._traffic
        door = door_of(local_path(scope))
        record = RequestRecord(_request_id(scope), scope["method"], door=door.name)
        exchange = scope["plugin.exchange"] = Exchange(send, record, elapsed, door, traffic)
        if self._traces is not None:
            exchange.trace = self._traces.begin(exchange, scope["method"], scope["headers"])
        before = current.set(exchange)
        traffic.active += 1
        try:
            await self._app(scope, receive, exchange.send)
        finally:
            traffic.active -= 1
            traffic.streams -= exchange.streaming
            exchange.settle(BROKEN_OFF)
            _complete(record, scope, self._clock() - started)
            self._told(record, exchange)
            current.reset(before)

    def _told(self, record: RequestRecord, exchange: Exchange) -> None:
        if exchange.trace is not None:
            exchange.trace.finish(record)
        if self._records is not None:
            self._records.write(record, exchange)


def _request_id(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _SANE_ID.fullmatch(value) and not SECRET.search(value):
            return str(value, "ascii")
    return f"req_{_ids.getrandbits(96):024x}"


def _complete(record: RequestRecord, scope: Scope, seconds: float) -> None:
    route, caller, client = scope.get("route"), scope.get("plugin.caller"), scope.get("client")
    record.client = None if client is None else client[0]
    record.path = None if route is None else route.path
    record.ms = round(seconds * 1000, 2)
    record.caller = None if caller is None else caller.id
