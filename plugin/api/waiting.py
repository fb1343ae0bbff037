"""Waiting for one's turn before the body is read: as long as the caller is there."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import TypeVar

from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive

T = TypeVar("T")

_MOST_KEPT = 65_536
"""Bytes of a body that are read meanwhile; behind more of them nobody sees a caller leave."""


async def left(receive: Receive) -> None:
    """Return when the caller has gone; its body has been read by then."""
    while (await receive())["type"] != "http.disconnect":
        pass


class _Kept:
    """Gives the messages that were read already, then those that come."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._messages = deque[Message]()

    async def __call__(self) -> Message:
        if self._messages:
            return self._messages.popleft()
        return await self._receive()

    async def until_gone(self) -> None:
        """Read what comes until the caller leaves, or as much as is kept."""
        size = 0
        while size <= _MOST_KEPT:
            message = await self._receive()
            self._messages.append(message)
            if message["type"] == "http.disconnect":
                return
            size += len(message.get("body", b""))
        await asyncio.Event().wait()


async def while_waiting(
    turn: Awaitable[T], receive: Receive, give_back: Callable[[T], object]
) -> tuple[T, Receive]:
    """What `turn` gives, and the messages as they came; `ClientDisconnect` if the caller leaves.

    What it gives in the very moment in which we are cancelled is given back.
    """
    kept = _Kept(receive)
    mine, gone = asyncio.ensure_future(turn), asyncio.ensure_future(kept.until_gone())
    try:
        await asyncio.wait({mine, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not mine.done():
            gone.result()  # a body over the limit, perhaps
            raise ClientDisconnect
    except BaseException:
        mine.cancel()
        await asyncio.wait({mine})
        if not mine.cancelled() and mine.exception() is None:
            give_back(mine.result())
        raise
    finally:
        gone.cancel()
    return mine.result(), kept
