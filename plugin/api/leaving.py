"""Work for a caller who may leave: cancelled when the connection closes before the answer."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import suppress
from typing import TypeVar

from starlette.requests import ClientDisconnect
from starlette.types import Receive

from plugin.api.waiting import left

_UNWATCHED = 0.02
"""Seconds for which it is not seen that a caller has left."""

T = TypeVar("T")


async def while_there(receive: Receive, work: Awaitable[T]) -> T:
    """What `work` gives; cancelled, and `ClientDisconnect` raised, when the caller leaves first."""
    presence = _Presence(receive)
    try:
        result = await work
    except (Exception, asyncio.CancelledError) as error:
        if presence.forgive():
            raise ClientDisconnect from error
        raise
    finally:
        presence.end()
    if presence.forgive():  # the work has come to its end in spite of it
        await abandon(result)
        raise ClientDisconnect
    return result


class _Presence:
    """Looks whether the caller is there, and cancels the task that made it when he is not.

    Not from the start: most work is done before it would be worth a task that watches.
    """

    __slots__ = ("_ended", "_gone", "_looking", "_receive", "_task", "_timer")

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._task = asyncio.current_task()
        self._looking: asyncio.Future[None] | None = None
        self._gone = self._ended = False
        self._timer = asyncio.get_running_loop().call_later(_UNWATCHED, self._look)

    def forgive(self) -> bool:
        """Whether the task was cancelled from here, and by nobody else."""
        if not self._gone or self._task is None:
            return False
        self._gone = False
        return not self._task.uncancel()

    def end(self) -> None:
        """Look no longer."""
        self._ended = True
        self._timer.cancel()
        if self._looking is not None:
            self._looking.cancel()

    def _look(self) -> None:
        self._looking = asyncio.ensure_future(left(self._receive))
        self._looking.add_done_callback(self._left)

    def _left(self, looking: "asyncio.Future[None]") -> None:
        if self._ended or looking.cancelled() or self._task is None:
            return
        looking.exception()  # whatever it was, nobody can be answered there
        self._gone = True
        self._task.cancel()


async def abandon(result: object) -> None:
    """Stop an event stream that has begun, though its caller has left."""
    pieces: AsyncIterator[bytes] | None = getattr(result, "pieces", None)
    if pieces is not None:
        await close(pieces)


async def close(pieces: AsyncIterator[bytes]) -> None:
    """Stop what makes the pieces, if it can be stopped."""
    closing = getattr(pieces, "aclose", None)
    if closing is not None:
        with suppress(RuntimeError):  # it has been stopped already
            await closing()
