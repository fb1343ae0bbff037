"""The way to the embedded engine's two servers: waits for them, asks them, hangs up."""

import asyncio
import math
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, nullcontext
from typing import Any, Literal

import orjson

from plugin.engines.fair_queue import FairQueue
from plugin.engines.llama.engine_events import read_events
from plugin.engines.llama.process.state import EngineState, StateFile
from plugin.engines.llama.refusals import BrokenOff, broken_off, refusal, unavailable
from plugin.errors import SourceUnavailable
from plugin.outbound.client import GuardedClient, Streamed

Server = Literal["text", "vectors"]

_COMING = frozenset({"starting", "restarting", "ready"})
_NOT_YET = frozenset({401, 503})
"""Statuses of a server that is still loading, or of another one at an address that was ours."""

_QUICK = frozenset({"/tokenize", "/detokenize", "/apply-template"})
"""What is answered without decoding, and so without waiting for a place."""

_JUST_COME = 0.25
"""Seconds for which a request may have waited and still be counted as coming after the stop."""

_PARAMS = {"/v1/completions": "prompt", "/v1/embeddings": "input"}
"""Where a prompt stands that is too long, if not in the messages."""


class Link:
    """Asks the engine that `state` describes; used by every request of one process.

    What is decoded holds a place of its server's queue in `queues`, from before it is sent until it
    has ended; `caller` is whose place that is. While the engine starts, requests wait for it,
    `patience` seconds from the moment that it was first missed; after that, and when it will not
    come, they fail at once.
    """

    def __init__(
        self,
        state: StateFile,
        client: GuardedClient,
        *,
        queues: Mapping[Server, FairQueue],
        patience: float = 10.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._state = state
        self._client = client
        self._patience = patience
        self._clock = clock
        self._queues = queues
        self.suspects = asyncio.Lock()
        """Held by a request under whose grammar the engine may have stopped."""
        self._missed = self._asked_last = -math.inf
        self._ended: int | None = None
        self._ended_at = -math.inf

    def context(self) -> int:
        """How many tokens a text may have, prompt and answer together; 0 while nobody knows."""
        return self._state.read().context

    async def post(
        self, server: Server, path: str, body: Mapping[str, Any], *, caller: str = ""
    ) -> Any:
        """The JSON value that `server` answers.

        Not for long texts: hanging up stops a decoding that is streamed, and no other. An engine
        that stops meanwhile is asked once more.

        Raises `ContextLengthExceeded`, `InvalidRequest` and `EngineUnavailable`.
        """
        try:
            return await self._posted(server, path, body, caller)
        except BrokenOff:
            return await self._posted(server, path, body, caller)

    async def _posted(self, server: Server, path: str, body: Mapping[str, Any], caller: str) -> Any:
        async with self._asked(server, path, body, caller) as answer:
            content = b"".join([piece async for piece in answer.pieces])
        try:
            return orjson.loads(content)
        except ValueError:
            raise broken_off() from None

    @asynccontextmanager
    async def events(
        self, path: str, body: Mapping[str, Any], *, caller: str = ""
    ) -> AsyncIterator[AsyncIterator[dict[str, Any]]]:
        """The text server's events, once it has agreed; leaving the context stops its decoding.

        Raises as `post` does, on the way too.
        """
        async with self._asked("text", path, body, caller) as answer:
            yield read_events(answer.pieces)

    @asynccontextmanager
    async def _asked(
        self, server: Server, path: str, body: Mapping[str, Any], caller: str
    ) -> AsyncIterator[Streamed]:
        place = nullcontext() if path in _QUICK else self._queues[server].place(caller)
        under = self._state.read().pid, self._clock()
        async with place, AsyncExitStack() as stack:
            self._check_not_outlived(*under)
            # only now: what waits in the queue takes no memory for it
            content = orjson.dumps(body, option=orjson.OPT_NON_STR_KEYS)
            answer = await self._open(stack, server, path, content, under)
            try:
                yield answer
            except SourceUnavailable as error:
                self._notice_end(under[0])
                raise broken_off() from error

    def _check_not_outlived(self, pid: int | None, came: float) -> None:
        """Whoever waited when the engine stopped hears of it.

        With all of them in front once more, a request that comes now would wait as long as they
        take together.
        """
        if pid is not None and pid != self._state.read().pid:
            self._notice_end(pid)
        if pid is not None and pid == self._ended and came < self._ended_at - _JUST_COME:
            raise broken_off()

    def _notice_end(self, pid: int | None) -> None:
        if pid != self._ended:
            self._ended, self._ended_at = pid, self._clock()

    async def _open(
        self,
        stack: AsyncExitStack,
        server: Server,
        path: str,
        content: bytes,
        under: tuple[int | None, float],
    ) -> Streamed:
        gone: EngineState | None = None
        while True:
            state = await self._ready(gone)
            try:
                sent = self._send(state, server, path, content)
                answer = await stack.enter_async_context(sent)
            except SourceUnavailable as error:
                self._notice_end(state.pid)
                if not _never_reached(error):
                    raise broken_off() from error
                self._check_not_outlived(*under)
                gone = state
                continue
            if answer.status == 200:  # noqa: PLR2004
                self._asked_last = -math.inf
                return answer
            told = b"".join([piece async for piece in answer.pieces])
            if answer.status not in _NOT_YET:
                raise refusal(answer.status, told, _PARAMS.get(path))
            await self._wait(state)

    def _send(
        self, state: EngineState, server: Server, path: str, content: bytes
    ) -> AbstractAsyncContextManager[Streamed]:
        origin = state.text if server == "text" else state.vectors
        headers = [
            (b"content-type", b"application/json"),
            (b"authorization", f"Bearer {state.key}".encode()),
            # The server spends a thread on each open connection, so none is kept; and a request
            # can then never meet a connection that the server is about to close.
            (b"connection", b"close"),
        ]
        return self._client.stream("POST", str(origin), path, headers=headers, body=content)

    async def _ready(self, gone: EngineState | None) -> EngineState:
        """The state once it is ready, and another than the one that proved to be `gone`."""
        while True:
            state = self._state.read()
            if state.state == "ready" and state != gone:
                return state
            await self._wait(state)

    async def _wait(self, state: EngineState) -> None:
        """A moment, unless there is nothing to wait for."""
        if state.state not in _COMING:
            raise unavailable(state.detail)
        now = self._clock()
        if now - self._asked_last > self._patience:
            self._missed = now
        self._asked_last = now
        if now - self._missed > self._patience:
            raise unavailable(
                state.detail or "The embedded engine does not answer yet. Try again in a second."
            )
        await asyncio.sleep(0.02)


def _never_reached(error: SourceUnavailable) -> bool:
    """Whether nobody listened: the request was not begun and may be sent again."""
    return isinstance(getattr(error.__cause__, "os_error", None), ConnectionRefusedError)
