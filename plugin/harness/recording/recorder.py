"""Records calls as they happen: what models reply, and what arrives at a service of your own.

One line in your application is enough:

    app.add_middleware(RecordCalls, path="calls.jsonl")

Secrets and personal data are masked before anything is written; headers are never recorded.
"""

import logging
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from plugin.contract.names import names
from plugin.contract.openapi import read
from plugin.errors import CannotRun
from plugin.harness.asgi import Application, Message
from plugin.harness.recording.arrivals import Arrival, Arrivals
from plugin.harness.recording.expectations import expected
from plugin.harness.recording.fingerprints import fingerprint
from plugin.harness.recording.masking import Masker
from plugin.harness.recording.recorded_reply import Body, NotAReply, make_row
from plugin.harness.recording.row_file import RowFile, RowTooLarge

log = logging.getLogger(__name__)

LARGEST_ROW = 8_000_000
"""Bytes of one row, of one request and of one answer that are kept to be recorded."""

Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class Recorder:
    """Writes rows and counts them; safe to use from several threads."""

    def __init__(self, rows: RowFile, masker: Masker, limit: int = LARGEST_ROW) -> None:
        self._rows = rows
        self._masker = masker
        self._limit = limit
        self._lock = threading.Lock()
        self.recorded = 0
        self.left_out: Counter[str] = Counter()

    def reply(self, path: str, request: Body, response: Body) -> None:
        """Record one reply of a model; what is none, or cannot be read, is counted with why."""
        with self._lock:
            try:
                self._rows.append(make_row(path, request, response, self._masker, self._limit))
            except (NotAReply, RowTooLarge, OSError) as error:
                self.left_out[str(error)] += 1
            except Exception as error:
                # The row is lost; the reply is already on its way, and nobody's call may fail.
                log.exception("a reply could not be recorded")
                self.left_out[f"it could not be read ({type(error).__name__})"] += 1
            else:
                self.recorded += 1

    def skip(self, reason: str) -> None:
        """Count a reply that was not recorded."""
        self.left_out[reason] += 1


class RecordCalls:
    """ASGI middleware: writes each call of an operation, and what was answered, as a transcript.

    `plugin replay` sends the calls again, and with `--expect` compares the answers. The contract is
    the application's own `/openapi.json`, or `openapi`: the path of a document or the document.
    A row is written before the end of its answer is sent; what is larger than `limit` bytes is
    passed on and not recorded.
    """

    def __init__(
        self,
        app: Application,
        path: str | PathLike[str],
        *,
        openapi: str | PathLike[str] | Mapping[str, Any] | None = None,
        limit: int = LARGEST_ROW,
        mask_addresses: bool = False,
    ) -> None:
        self._app = app
        self._rows = RowFile(path, limit)
        self._masker = Masker(addresses=mask_addresses)
        self._limit = limit
        self._lock = threading.Lock()
        self._arrivals = None if openapi is None else _arrivals(_document(openapi))

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Handle a request; whatever is no operation of the contract passes."""
        arrival = await self._arrival(scope) if scope["type"] == "http" else None
        if arrival is None:
            await self._app(scope, receive, send)
            return
        seen = _Seen(receive, send, self._limit, lambda seen: self._record(arrival, seen))
        await self._app(scope, seen.receive, seen.send)

    async def _arrival(self, scope: Message) -> Arrival | None:
        if self._arrivals is None:
            self._arrivals = await self._published(scope)
        return self._arrivals.find(scope)

    async def _published(self, scope: Message) -> Arrivals:
        """The contract that the application publishes itself."""
        answer = _Seen(_nothing, _nowhere, self._limit, lambda _: None)
        path = f"{scope.get('root_path', '')}/openapi.json"
        asked = {**scope, "method": "GET", "path": path, "raw_path": path.encode()}
        try:
            await self._app({**asked, "query_string": b""}, answer.receive, answer.send)
            if answer.status != 200:  # noqa: PLR2004 - the one status that carries the document
                raise CannotRun(f"GET /openapi.json answered with status {answer.status}")
            return _arrivals(answer.answer.text(self._limit))
        except Exception as error:  # noqa: BLE001 - it is the user's application that runs here
            log.error(  # noqa: TRY400 - one line for people; the application is not at fault
                "nothing is recorded: no contract was found (%s); give RecordCalls the document "
                "with openapi=",
                error,
            )
            return Arrivals({})

    def _record(self, arrival: Arrival, seen: "_Seen") -> None:
        try:
            with self._lock:
                row = self._row(arrival, seen)
                if row is not None:
                    self._rows.append(row)
        except Exception as error:  # noqa: BLE001 - a recording must not break what it records
            log.warning("a call of %s was not recorded: %s", arrival.name, error)

    def _row(self, arrival: Arrival, seen: "_Seen") -> dict[str, Any] | None:
        # Who was turned away at the gate has called nothing; sent again with a key, it would.
        turned_away = arrival.operation.security and seen.status in (401, 403)
        if seen.asked is None or turned_away:
            return None
        arguments = arrival.arguments(seen.asked)
        masked = self._masker.arguments(arrival.schema, arguments)
        answer = None if seen.too_large else seen.answer
        return {
            "calls": [{"id": None, "name": arrival.name, "arguments": masked}],
            "expect": [expected(seen.status, answer, arguments, self._masker)],
            "contract": {arrival.name: fingerprint(arrival.operation)},
        }


class _Seen:
    """Both ends of one request, passed on as they come and remembered up to a limit."""

    def __init__(
        self, receive: Receive, send: Send, limit: int, ended: Callable[["_Seen"], None]
    ) -> None:
        self._receive = receive
        self._send = send
        self._limit = limit
        self._ended = ended
        self._asked = bytearray()
        self._answered = bytearray()
        self._encoding = ""
        self.status = 0
        self.too_large = False

    @property
    def asked(self) -> bytes | None:
        """The request's body; None if it was too large to keep."""
        return None if len(self._asked) > self._limit else bytes(self._asked)

    @property
    def answer(self) -> Body:
        return Body(bytes(self._answered), self._encoding)

    async def receive(self) -> Message:
        message = await self._receive()
        if len(self._asked) <= self._limit:
            self._asked += message.get("body", b"")
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = {name.lower(): value for name, value in message.get("headers", ())}
            self._encoding = headers.get(b"content-encoding", b"").decode("latin-1")
        elif message["type"] == "http.response.body":
            self._keep(message.get("body", b""))
            if not message.get("more_body", False):
                self._ended(self)
        await self._send(message)

    def _keep(self, piece: bytes) -> None:
        self.too_large = self.too_large or len(self._answered) + len(piece) > self._limit
        if self.too_large:
            self._answered.clear()
        else:
            self._answered += piece


async def _nothing() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}


async def _nowhere(_: Message) -> None:
    return


def _arrivals(document: str | bytes) -> Arrivals:
    contract = read(document)
    return Arrivals(names(contract), contract.servers)


def _document(openapi: str | PathLike[str] | Mapping[str, Any]) -> str | bytes:
    if isinstance(openapi, Mapping):
        from plugin.harness.json_text import dumps

        return dumps(openapi)
    try:
        return Path(openapi).read_bytes()
    except OSError as error:
        raise CannotRun(f"cannot read {openapi}: {error.strerror}; give a document") from None
