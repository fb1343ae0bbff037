"""Sends requests to an ASGI application in this process, without a server and without a client."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from plugin.contract.requests.request import Request
from plugin.harness.exchange import Response, Unreachable

Message = MutableMapping[str, Any]
Application = Callable[
    [Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]],
    Awaitable[None],
]


class AsgiService:
    """An application with its lifespan open; `async with` opens and closes it.

    `headers` go with each request, `seconds` is how long one may take.
    """

    def __init__(
        self,
        application: Application,
        headers: tuple[tuple[str, str], ...] = (),
        seconds: float | None = None,
    ) -> None:
        self._application = application
        self._seconds = seconds
        self._headers = [(name.lower().encode(), value.encode()) for name, value in headers]
        self._state: dict[str, Any] = {}
        self._lifespan: asyncio.Task[None] | None = None
        self._to_application: asyncio.Queue[Message] = asyncio.Queue()
        self._from_application: asyncio.Queue[Message] = asyncio.Queue()

    async def __aenter__(self) -> Self:
        """Open the application's lifespan; an application without one is fine."""
        scope: Message = {
            "type": "lifespan",
            "asgi": {"version": "3.0", "spec_version": "2.0"},
            "state": self._state,
        }
        self._lifespan = asyncio.ensure_future(self._run(scope))
        message = await self._next("lifespan.startup")
        if message is not None and message["type"] == "lifespan.startup.failed":
            # Some frameworks put a whole traceback here; its last line says what went wrong.
            *_, why = str(message.get("message") or "it does not say why").strip().splitlines()
            raise Unreachable(f"the application did not start: {why}")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the application's lifespan."""
        if self._lifespan is not None and not self._lifespan.done():
            await self._next("lifespan.shutdown")
            # One that answered may still wait for a further event, which never comes.
            self._lifespan.cancel()
            await asyncio.wait({self._lifespan})

    async def _run(self, scope: Message) -> None:
        # An application that knows no lifespan raises here; the standard says to go on without.
        with suppress(Exception):
            await self._application(scope, self._to_application.get, self._from_application.put)

    async def _next(self, event: str) -> Message | None:
        """Tell the application of an event; its answer, or None if its lifespan ended instead."""
        lifespan = self._lifespan
        if lifespan is None:
            return None
        await self._to_application.put({"type": event})
        answer = asyncio.ensure_future(self._from_application.get())
        await asyncio.wait({answer, lifespan}, return_when=asyncio.FIRST_COMPLETED)
        if answer.done():
            return answer.result()
        answer.cancel()
        return None

    async def send(self, request: Request) -> Response:
        """One request, one whole response."""
        exchange = _Exchange(request.body)
        try:
            async with asyncio.timeout(self._seconds) as limit:
                await self._application(self._scope(request), exchange.receive, exchange.send)
        except Exception as error:
            if limit.expired():
                raise Unreachable(f"no answer within {self._seconds:g} s") from error
            raise Unreachable(f"the application raised {type(error).__name__}: {error}") from error
        return exchange.response()

    def _scope(self, request: Request) -> Message:
        path, query = request.path, request.query
        headers = [(name.lower().encode(), value.encode()) for name, value in request.headers]
        if request.body:
            headers.append((b"content-length", str(len(request.body)).encode()))
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": request.method,
            "scheme": "http",
            "path": _decoded(path),
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [(b"host", b"localhost"), *self._headers, *headers],
            "client": ("127.0.0.1", 0),
            "server": ("127.0.0.1", 80),
            "state": self._state.copy(),
        }


def _decoded(path: str) -> str:
    if "%" not in path:
        return path
    from urllib.parse import unquote

    return unquote(path)


class _Exchange:
    """The two ends that an application sees of one request."""

    __slots__ = ("_answered", "_body", "_headers", "_parts", "_status")

    def __init__(self, body: bytes) -> None:
        self._body: bytes | None = body
        self._status = 0
        self._headers: tuple[tuple[str, str], ...] = ()
        self._parts: list[bytes] = []
        self._answered = asyncio.Event()

    async def receive(self) -> Message:
        if self._body is None:  # the client has nothing more to say, and stays for the answer
            await self._answered.wait()
            return {"type": "http.disconnect"}
        body, self._body = self._body, None
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
            self._headers = tuple(
                (name.decode("latin-1").lower(), value.decode("latin-1"))
                for name, value in message.get("headers", ())
            )
        elif message["type"] == "http.response.body":
            self._parts.append(message.get("body", b""))
            if not message.get("more_body", False):
                self._answered.set()

    def response(self) -> Response:
        if not self._status:
            raise Unreachable("the application ended without an answer")
        return Response(self._status, self._headers, b"".join(self._parts))
