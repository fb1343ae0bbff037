"""Callers take turns at something scarce: each holds at most half of it, and waits briefly."""

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Protocol

from plugin.errors import Overloaded

SECONDS = 1.0
"""How long a caller waits for its turn at least; at most twice as long."""

_GOLDEN = 0.618034


class Requester(Protocol):
    """The request for which work is done, as far as pools need it."""

    caller_id: str
    """Empty before the caller is known."""

    async def left(self) -> None:
        """Raise as soon as the caller has left, if that can be seen and its work be dropped."""


async def _stays() -> None:
    await asyncio.get_running_loop().create_future()


def no_requester() -> Requester | None:
    """Return None: outside of requests no caller is known."""
    return None


class Turns:
    """So many places, of which one caller holds at most half (at least one).

    `name` says in errors what the places are. `requester` returns the request of the running task;
    work without one is the service's own and shares the places of one more caller. A caller waits
    for `seconds` to twice as long: those who came together do not all give up in the same moment.

    For the event loop alone. A place that is free is taken without waiting: `take` and `give_back`
    are plain calls.
    """

    def __init__(
        self,
        name: str,
        places: int,
        requester: Callable[[], Requester | None] = no_requester,
        seconds: float = SECONDS,
    ) -> None:
        self.places = places
        self.share = max(1, places // 2)
        self._name = name
        self._requester = requester
        self._seconds = seconds
        self._free = places
        self._held: dict[str, int] = {}
        self._spread = 0.0
        # A caller waits here only while it cannot be let in: `give_back` serves the next one.
        self._lines: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()

    @property
    def waiting(self) -> int:
        """How many wait now."""
        return sum(map(len, self._lines.values()))

    def take(self) -> str | None:
        """Take a place if there is one for this caller; return the caller's id, else None."""
        requester = self._requester()
        caller = "" if requester is None else requester.caller_id
        held = self._held.get(caller, 0)
        if not self._free or held >= self.share:
            return None
        self._free -= 1
        self._held[caller] = held + 1
        return caller

    async def wait(self) -> str:
        """Wait for a place, keys in turn; return the caller's id.

        Raises `Overloaded` when the time is over, and what `Requester.left` raises.
        """
        requester = self._requester()
        caller = "" if requester is None else requester.caller_id
        place = asyncio.get_running_loop().create_future()
        self._spread = (self._spread + _GOLDEN) % 1.0
        seconds = self._seconds * (1.0 + self._spread)
        self._lines.setdefault(caller, deque()).append(place)
        leaving = asyncio.ensure_future(_stays() if requester is None else requester.left())
        try:
            await asyncio.wait(
                {place, leaving}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED
            )
        except BaseException:
            self._stop_waiting(caller, place)
            raise
        finally:
            gone = None if leaving.cancel() or leaving.cancelled() else leaving.exception()
        if place.done():
            return caller
        self._stop_waiting(caller, place)
        raise gone or self._overloaded(caller, seconds)

    def give_back(self, caller: str) -> None:
        """End what `take` or `wait` began for this caller; the next one in turn gets the place."""
        self._free += 1
        held = self._held.pop(caller)
        if held > 1:
            self._held[caller] = held - 1
        if self._lines:
            self._serve()

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Hold a place for as long as the context lasts."""
        caller = self.take()
        if caller is None:
            caller = await self.wait()
        try:
            yield
        finally:
            self.give_back(caller)

    def _serve(self) -> None:
        for caller in [one for one in self._lines if self._held.get(one, 0) < self.share]:
            if not self._free:
                return
            line = self._lines[caller]
            line.popleft().set_result(None)
            self._free -= 1
            self._held[caller] = self._held.get(caller, 0) + 1
            if line:
                self._lines.move_to_end(caller)
            else:
                del self._lines[caller]

    def _stop_waiting(self, caller: str, place: "asyncio.Future[None]") -> None:
        if place.done():  # its turn came in this very moment
            self.give_back(caller)
            return
        line = self._lines[caller]
        line.remove(place)
        if not line:
            del self._lines[caller]

    def _overloaded(self, caller: str, seconds: float) -> Overloaded:
        if self._held.get(caller, 0) >= self.share:
            return Overloaded(
                f"Other calls of this key use its share of {self._name} ({self.share} at once). "
                f"This call waited {seconds:.1f} s and was not carried out. Retry after 1 s, "
                "with fewer calls at once."
            )
        return Overloaded(
            f"The calls of other keys use {self._name}. This call waited {seconds:.1f} s and "
            "was not carried out. Retry after 1 s."
        )
