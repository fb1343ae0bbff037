"""A reverse proxy that passes answers on as they come, and records model replies on the side."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from typing import Any
from urllib.parse import urlsplit

from plugin.errors import SourceUnavailable
from plugin.harness.asgi import Message
from plugin.harness.json_text import dumps
from plugin.harness.recorded_reply import Body, has_ended
from plugin.harness.recording import LARGEST_ROW, Receive, Recorder, Send
from plugin.outbound.client import GuardedClient, Streamed

Headers = list[tuple[bytes, bytes]]

_HOP_BY_HOP = frozenset(
    {
        *(b"connection", b"keep-alive", b"proxy-authenticate", b"proxy-authorization"),
        *(b"proxy-connection", b"te", b"trailer", b"transfer-encoding", b"upgrade"),
    }
)
"""Headers of one connection (RFC 9110, 7.6.1): each side of a proxy has its own."""

_OURS_TO_SAY = frozenset({b"host", b"expect"})
_READABLE = re.compile(r"\s*(?:gzip|x-gzip|deflate|identity)\s*(?:;.*)?", re.IGNORECASE)
_MOST_KEPT = 8
"""Bodies of the largest size that are kept at once; beyond, replies pass without being recorded."""

_TAIL = 200


class RecordingProxy:
    """ASGI application: every request goes to `upstream`, every model's reply to `recorder`.

    A row is written before the end of its reply is passed on: whoever has the reply finds the row.
    """

    def __init__(
        self,
        client: GuardedClient,
        upstream: str,
        recorder: Recorder,
        say: Callable[[str], None],
        limit: int = LARGEST_ROW,
    ) -> None:
        self._client = client
        self._upstream = upstream
        self._base = urlsplit(upstream).path.rstrip("/")
        self._recorder = recorder
        self._say = say
        self._memory = _Memory(limit)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Handle a request; a WebSocket is refused."""
        match scope["type"]:
            case "http":
                await self._until_gone(scope, _Upload(scope, receive), send)
            case "lifespan":
                await self._live(receive, send)
            case _:
                await send({"type": "websocket.close", "code": 1008})

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._client.close()
        await send({"type": "lifespan.shutdown.complete"})

    async def _until_gone(self, scope: Message, upload: "_Upload", send: Send) -> None:
        """Pass one request on; when its client leaves, the upstream stops as well."""
        passing = asyncio.ensure_future(self._pass(scope, upload, send))
        leaving = asyncio.ensure_future(upload.gone())
        try:
            await asyncio.wait({passing, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            leaving.cancel()
            passing.cancel()
            results = await asyncio.gather(passing, leaving, return_exceptions=True)
        error = results[0]
        if isinstance(error, Exception):
            raise error

    async def _pass(self, scope: Message, upload: "_Upload", send: Send) -> None:
        target = self._target(scope)
        asked = _Kept(self._memory, wanted=scope["method"] == "POST")
        reply = _Reply(self._recorder, target, scope["headers"], asked, _Kept(self._memory))
        try:
            async with self._client.stream(
                scope["method"],
                self._upstream,
                target,
                headers=_towards_upstream(scope["headers"]),
                body=upload.pieces(asked) if upload.has_body else None,
            ) as answer:
                reply.begin(answer)
                await send(_head(answer))
                await _pass_on(answer, reply, send)
        except SourceUnavailable as error:
            self._say(error.detail)
            reply.give_up("the upstream broke it off")
            if not reply.has_begun:
                await _refuse(error, send)
            # Else nothing more is sent: an answer that broke off has to look broken off.
        finally:
            reply.give_up("the client left before its end")

    def _target(self, scope: Message) -> str:
        """Path and query as the client wrote them, under the upstream's own path, once."""
        raw: bytes = scope.get("raw_path") or scope["path"].encode()
        path = raw.partition(b"?")[0].decode("latin-1")
        if self._base and path != self._base and not path.startswith(f"{self._base}/"):
            path = self._base + path
        query = scope["query_string"].decode("latin-1")
        return f"{path}?{query}" if query else path


async def _pass_on(answer: Streamed, reply: "_Reply", send: Send) -> None:
    async for piece in answer.pieces:
        if reply.ends_with(piece):
            await reply.record()
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await reply.record()
    await send({"type": "http.response.body", "body": b""})


class _Upload:
    """What the client sends: its body, and then only that it left."""

    def __init__(self, scope: Message, receive: Receive) -> None:
        names = {name for name, _ in scope["headers"]}
        self.has_body = bool(names & {b"content-length", b"transfer-encoding"})
        self._receive = receive
        self._sent = asyncio.Event()
        self._left = asyncio.Event()
        if not self.has_body:
            self._sent.set()

    async def pieces(self, kept: "_Kept") -> AsyncIterator[bytes]:
        """The body, piece by piece."""
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                self._left.set()
                self._sent.set()
                raise ConnectionResetError("the client left")
            piece = message.get("body", b"")
            kept.add(piece)
            if piece:
                yield piece
            if not message.get("more_body", False):
                self._sent.set()
                return

    async def gone(self) -> None:
        """Wait until the client has left."""
        await self._sent.wait()
        while not self._left.is_set():
            if (await self._receive())["type"] == "http.disconnect":
                return


class _Memory:
    """How much may be kept to be recorded: of one body, and of all at once."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._left = _MOST_KEPT * limit

    def take(self, size: int) -> bool:
        """Reserve some bytes, if there are as many."""
        if size > self._left:
            return False
        self._left -= size
        return True

    def give_back(self, size: int) -> None:
        """Free them again."""
        self._left += size


class _Kept:
    """A body that is kept while it passes, as long as it is not too large."""

    def __init__(self, memory: _Memory, *, wanted: bool = True) -> None:
        self._memory = memory
        self._content = bytearray()
        self.wanted = wanted
        self.overflowed = False

    def add(self, piece: bytes) -> None:
        """Keep a piece, or let go of everything."""
        if not self.wanted or self.overflowed:
            return
        size = len(piece)
        if len(self._content) + size > self._memory.limit or not self._memory.take(size):
            self.drop()
            self.overflowed = True
        else:
            self._content += piece

    def drop(self) -> None:
        """Let go of what is kept."""
        self._memory.give_back(len(self._content))
        self._content = bytearray()

    @property
    def content(self) -> bytes:
        """What is kept."""
        return bytes(self._content)

    @property
    def tail(self) -> str:
        """The last signs of it."""
        return self._content[-_TAIL:].decode("utf-8", "replace")

    @property
    def size(self) -> int:
        """Its bytes."""
        return len(self._content)


class _Reply:
    """What may be a model's reply, while it passes."""

    def __init__(
        self, recorder: Recorder, path: str, headers: Headers, asked: _Kept, answered: _Kept
    ) -> None:
        self._recorder = recorder
        self._path = path
        self._asked = asked
        self._answered = answered
        self._asked_encoding = _header(headers, b"content-encoding")
        self._encoding = ""
        self._length = -1
        self._streamed = False
        self._candidate = False
        self.has_begun = False

    def begin(self, answer: Streamed) -> None:
        """The head of the answer is there."""
        self.has_begun = True
        media_type = _header(answer.headers, b"content-type").lower()
        self._streamed = "event-stream" in media_type
        successful = 200 <= answer.status < 300  # noqa: PLR2004 - the class of success
        self._candidate = (
            self._asked.wanted and successful and (self._streamed or "json" in media_type)
        )
        self._encoding = _header(answer.headers, b"content-encoding")
        length = _header(answer.headers, b"content-length")
        self._length = int(length) if length.isdecimal() else -1

    def give_up(self, reason: str) -> None:
        """Let go of what is kept; a reply that is not recorded yet will not be."""
        if self._candidate:
            self._recorder.skip(reason)
        self._candidate = False
        self._asked.drop()
        self._answered.drop()

    def ends_with(self, piece: bytes) -> bool:
        """Keep a piece; whether nothing of the reply comes after it."""
        if not self._candidate:
            return False
        before = self._answered.tail
        self._answered.add(piece)
        if self._streamed:
            return has_ended(before + piece.decode("utf-8", "replace"))
        return self._answered.size == self._length

    async def record(self) -> None:
        """Write the row, once; away from the event loop, so that other replies go on."""
        if not self._candidate:
            return
        self._candidate = False
        if self._asked.overflowed or self._answered.overflowed:
            self._recorder.skip("it is too large to be kept (see --max-row)")
            return
        asked = Body(self._asked.content, self._asked_encoding)
        answered = Body(self._answered.content, self._encoding)
        await asyncio.to_thread(self._recorder.reply, self._path, asked, answered)


def _towards_upstream(headers: Headers) -> Headers:
    """What the client says to the upstream; packed only in ways that can be recorded."""
    kept = [pair for pair in _end_to_end(headers) if pair[0].lower() not in _OURS_TO_SAY]
    return [
        (name, _readable(value) if name.lower() == b"accept-encoding" else value)
        for name, value in kept
    ]


def _readable(accepted: bytes) -> bytes:
    ways = accepted.decode("latin-1").split(",")
    readable = [way.strip() for way in ways if _READABLE.fullmatch(way)]
    if len(readable) == len(ways):
        return accepted
    return ", ".join(readable).encode("latin-1") or b"identity"


def _end_to_end(headers: Any) -> Headers:
    """The headers that are not of one connection alone."""
    named = {
        option.strip().lower()
        for name, value in headers
        if name.lower() == b"connection"
        for option in value.split(b",")
    }
    dropped = _HOP_BY_HOP | named
    return [(name, value) for name, value in headers if name.lower() not in dropped]


def _head(answer: Streamed) -> Message:
    headers = _end_to_end(answer.headers)
    return {"type": "http.response.start", "status": answer.status, "headers": headers}


def _header(headers: Any, wanted: bytes) -> str:
    found = (value for name, value in headers if name.lower() == wanted)
    return str(next(found, b"").decode("latin-1"))


async def _refuse(error: SourceUnavailable, send: Send) -> None:
    """502, as a problem; `error` is where the SDKs of model providers look for words."""
    detail = f"The recording proxy cannot reach its upstream: {error.detail}"
    problem = {
        "type": "urn:gpt-plugin:problem:upstream_unreachable",
        "title": "The upstream cannot be reached",
        "status": 502,
        "detail": detail,
        "code": "upstream_unreachable",
        "error": {"message": detail, "type": "upstream_unreachable", "param": None, "code": None},
    }
    body = dumps(problem)
    headers = [
        (b"content-type", b"application/problem+json"),
        (b"content-length", str(len(body)).encode()),
    ]
    await send({"type": "http.response.start", "status": 502, "headers": headers})
    await send({"type": "http.response.body", "body": body})
