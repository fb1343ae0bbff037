"""A stream of an upstream as our caller's: watched until its end, closed when he leaves."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import AsyncExitStack, contextmanager, suppress
from dataclasses import dataclass

from plugin.engines.upstream_answer import Edited
from plugin.engines.upstream_errors import CallFailed, broken, too_slow, unreachable
from plugin.errors import PluginError, SourceUnavailable
from plugin.outbound.breaker import Breaker
from plugin.outbound.sessions import SourceTooSlow

_FIRST_EVENT = 5.0
"""Seconds in which a stream that breaks off at once is still taken for a failed call."""

_AFTERMATH = 0.25
"""Seconds that a connection gets to end by itself after the last event, so that it can be kept."""


@dataclass(slots=True)
class Watch:
    """Tells the breaker of one address what came of one call.

    `answering`: the head of the answer has come.
    """

    name: str
    breaker: Breaker
    ticket: int
    answering: bool = False

    @contextmanager
    def over(self) -> Iterator[None]:
        """Hear how a part of the call ends; what fails in it comes out as `CallFailed`.

        A good end is for `succeeded` to tell.
        """
        try:
            yield
        except SourceUnavailable as error:
            self.breaker.failed(self.ticket)
            raise self._failure(error) from error
        except CallFailed as failed:
            (self.breaker.failed if failed.of_address else self.breaker.succeeded)(self.ticket)
            raise
        except PluginError:
            self.breaker.succeeded(self.ticket)
            raise
        except BaseException:
            self.breaker.left(self.ticket)
            raise

    def succeeded(self) -> None:
        """The call went well to its end."""
        self.breaker.succeeded(self.ticket)

    def _failure(self, error: SourceUnavailable) -> CallFailed:
        if isinstance(error, SourceTooSlow):
            return too_slow(self.name)
        if self.answering:
            return broken(self.name, "broke off in the middle of its answer")
        return unreachable(self.name)


async def passed_on(
    pieces: AsyncIterator[bytes], edited: Edited, stack: AsyncExitStack, watch: Watch
) -> AsyncGenerator[bytes, None]:
    """The events as the caller gets them; raises `CallFailed` when they end too early.

    `stack` holds the connection; it is closed with the stream.
    """
    async with stack:
        with watch.over():
            async for piece in pieces:
                ready = edited.add(piece)
                if edited.done:
                    watch.succeeded()
                if ready:
                    watch.breaker.answers(watch.ticket)
                    yield ready
                if edited.failure is not None:
                    raise edited.failure
                if edited.done:
                    break
            else:
                yield _last(edited, watch)
        with suppress(PluginError, CallFailed, TimeoutError):  # what was asked for is here
            async with asyncio.timeout(_AFTERMATH):
                async for _ in pieces:
                    pass


def _last(edited: Edited, watch: Watch) -> bytes:
    ready = edited.end()
    if not edited.done:
        raise broken(watch.name, "ended its answer before it was complete")
    watch.succeeded()
    return ready


class Begun:
    """A stream whose first event has come, or was waited for long enough; pieces for the caller."""

    def __init__(self, rest: AsyncGenerator[bytes, None]) -> None:
        self._rest = rest
        self._first: asyncio.Future[bytes] | None = asyncio.ensure_future(anext(rest))

    async def wait(self) -> None:
        """Wait for the first event for a while; raises `CallFailed` when there is none to come."""
        assert self._first is not None  # noqa: S101 - nothing was taken yet
        try:
            done, _ = await asyncio.wait({self._first}, timeout=_FIRST_EVENT)
            if done:
                self._first.result()
        except BaseException:
            await self.aclose()
            raise

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        try:
            if self._first is not None:
                first, self._first = self._first, None
                return await first
            return await anext(self._rest)
        except CallFailed as failed:
            raise failed.error from failed

    async def aclose(self) -> None:
        """Hang up."""
        if self._first is not None:
            self._first.cancel()
            await asyncio.wait({self._first})
        await self._rest.aclose()
