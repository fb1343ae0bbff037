"""A stream of an upstream as our caller's: watched until its end, closed when he leaves."""

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import AsyncExitStack, contextmanager, suppress
from dataclasses import dataclass

from plugin.engines.upstream_answer import Edited
from plugin.engines.upstream_errors import CallFailed, broken, no_events, too_slow, unreachable
from plugin.engines.upstream_words import said
from plugin.errors import PluginError, SourceUnavailable
from plugin.outbound.breaker import Breaker
from plugin.outbound.sessions import SourceTooSlow

_BEGIN = re.compile(rb"\s*(?:\xef\xbb\xbf)?\s*(?:data|event|id|retry|:)")

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
            async for piece in _heard(pieces, edited, watch):
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


async def _heard(
    pieces: AsyncIterator[bytes], edited: Edited, watch: Watch
) -> AsyncGenerator[bytes, None]:
    """The pieces, from the first that holds more than space; raises for what is no event stream.

    A connection that is cut after all choices have come to their end is an end like any other.
    """
    begin: bytes | None = b""
    try:
        async for piece in pieces:
            if begin is None:
                yield piece
                continue
            begin += piece
            if not begin.strip():
                continue
            if not _BEGIN.match(begin):
                raise no_events(watch.name, said(begin))
            yield begin
            begin = None
    except SourceUnavailable:
        if not edited.is_complete:
            raise


def _last(edited: Edited, watch: Watch) -> bytes:
    ready = edited.end()
    if edited.failure is not None:
        raise edited.failure
    if not edited.done:
        raise broken(watch.name, "ended its answer before it was complete")
    watch.succeeded()
    return ready


class Begun:
    """A stream whose first content has come; pieces for the caller.

    Events before that, such as the role of the message, are held back: until then the call can
    still fail, and be made elsewhere, without a trace.
    """

    def __init__(self, rest: AsyncGenerator[bytes, None], edited: Edited) -> None:
        self._rest = rest
        self._edited = edited
        self._held: list[bytes] = []

    async def wait(self) -> None:
        """Wait for the first content; raises `CallFailed` when there is none to come."""
        try:
            while not self._edited.has_content and not self._edited.done:
                self._held.append(await anext(self._rest))
        except StopAsyncIteration:
            return
        except BaseException:
            await self.aclose()
            raise

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if self._held:
            return self._held.pop(0)
        try:
            return await anext(self._rest)
        except CallFailed as failed:
            raise failed.error from failed

    async def aclose(self) -> None:
        """Hang up."""
        await self._rest.aclose()
