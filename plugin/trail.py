"""What happens to one request on its way: for books, logs, and whoever it is passed on to."""

import asyncio
from contextvars import ContextVar
from typing import Any

_MOST = 32
"""Events that are kept of one request."""

_NOTHING: tuple[tuple[bytes, bytes], ...] = ()


class Trail:
    """One request on its way: its id, its caller, what has happened to it, its place in a trace.

    `caller_id` is empty before the caller is known, and where anyone may call.
    `way` holds names and numbers, never what the caller or a model wrote. `traceparent` (W3C) goes
    along with whatever is asked of others; None where nothing is traced.
    """

    __slots__ = ("caller_id", "request_id", "traceparent", "way")

    def __init__(self, request_id: str) -> None:
        self.request_id = request_id
        self.caller_id = ""
        self.traceparent: str | None = None
        self.way: list[dict[str, Any]] = []

    def happened(self, what: str, **facts: Any) -> None:
        """Remember an event, the first ones at least."""
        if len(self.way) < _MOST:
            self.way.append({"what": what, **facts})

    async def left(self) -> None:
        """Raise as soon as the caller has left, where that can be seen: here it never does."""
        await asyncio.get_running_loop().create_future()


# The one thing that must be found from anywhere below a request: engines and logs know no request.
current: ContextVar[Trail | None] = ContextVar("trail", default=None)
"""The request that is being answered, None outside of one."""


def happened(what: str, **facts: Any) -> None:
    """Remember an event of the request that is being answered, if there is one."""
    trail = current.get()
    if trail is not None:
        trail.happened(what, **facts)


def carried() -> tuple[tuple[bytes, bytes], ...]:
    """The headers that go along with a call to somebody else."""
    trail = current.get()
    if trail is None or trail.traceparent is None:
        return _NOTHING
    return ((b"traceparent", trail.traceparent.encode()),)
