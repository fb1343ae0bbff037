"""A reverse proxy that passes answers on as they come, and records model replies on the side."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from typing import Any
from urllib.parse import urlsplit

from plugin.errors import SourceUnavailable
from plugin.harness.asgi import Message
from plugin.harness.json_text import dumps
from plugin.harness.recording.recorder import LARGEST_ROW, Receive, Recorder, Send
from plugin.outbound.client import GuardedClient, Streamed
from plugin.transports.passing_reply import Headers, Kept, Memory, ReplyInPassing

_HOP_BY_HOP = frozenset(
    {
        *(b"connection", b"keep-alive", b"proxy-authenticate", b"proxy-authorization"),
        *(b"proxy-connection", b"te", b"trailer", b"transfer-encoding", b"upgrade"),
    }
)
"""Headers of one connection (RFC 9110, 7.6.1): each side of a proxy has its own."""

_OURS_TO_SAY = frozenset({b"host", b"expect"})
_READABLE = re.compile(r"\s*(?:gzip|x-gzip|deflate|identity)\s*(?:;.*)?", re.IGNORECASE)


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
        self._memory = Memory(limit)

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
        asked = Kept(self._memory, wanted=scope["method"] == "POST")
        reply = ReplyInPassing(self._recorder, target, scope["headers"], asked, Kept(self._memory))
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


async def _pass_on(answer: Streamed, reply: "ReplyInPassing", send: Send) -> None:
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

    async def pieces(self, kept: "Kept") -> AsyncIterator[bytes]:
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
