"""Waiting for a place with an engine: bounded, in turn between keys, left at any time."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Protocol

from plugin.errors import EngineUnavailable

_RETRY = {"retry-after": "1"}


class Places(Protocol):
    """The places of one engine: which keys hold them, and which key is next."""

    def take(self, waiting: Iterable[tuple[str, int]]) -> str | None:
        """Take a place for one of the keys in `waiting`, and return that key.

        Each key comes with the time since when it waits, in ns. Return None when no place is free
        for any of them, or when a key of another worker is next.
        """

    def give_back(self, key: str) -> None:
        """Return a place that was taken for `key`."""

    def leave(self) -> None:
        """Record that no key waits here any more."""

    def changed(self) -> bool:
        """Return whether another process did something since `take` found no place."""

    def repair(self) -> None:
        """Return the places of workers that died."""


def may_take(held: int, free: int, share: float) -> bool:
    """Return whether a key that holds `held` places may take one more of `free`.

    A key holds at most `share` times as many places as are free, so that a key that comes later
    finds one. With 5 places and a share of 4, one key holds at most 4.
    """
    return held < share * free


class LocalPlaces:
    """The places of one process: `total` of them."""

    def __init__(self, total: int, share: float) -> None:
        self._free = total
        self._share = share
        self._held: dict[str, int] = {}

    def take(self, waiting: Iterable[tuple[str, int]]) -> str | None:
        """Take a place for the key that holds the fewest; of several, that waits longest."""
        held = self._held
        mine, _, key = min([(held.get(key, 0), since, key) for key, since in waiting])
        if not may_take(mine, self._free, self._share):
            return None
        held[key] = mine + 1
        self._free -= 1
        return key

    def give_back(self, key: str) -> None:
        """Return a place that was taken for `key`."""
        self._free += 1
        left = self._held[key] - 1
        if left:
            self._held[key] = left
        else:
            del self._held[key]

    def leave(self) -> None:
        """Do nothing: no other process looks."""

    def changed(self) -> bool:
        """Return False: no other process takes these places."""
        return False

    def repair(self) -> None:
        """Do nothing: these places die with their process."""


class FairQueue:
    """The queue of one worker in front of one engine.

    A place goes to the key that holds the fewest places; of several such keys, to the one that
    waits longest since its last turn. At most `most` requests wait, and at most half as many of one
    key. With `look`, a number of seconds, the queue looks for places that other processes returned.
    """

    def __init__(
        self,
        places: Places,
        *,
        most: int = 2048,
        look: float | None = None,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._places = places
        self._most = most
        self._look = look
        self._clock = clock
        self._waiting = 0
        self._since: dict[str, int] = {}
        self._lines: dict[str, deque[asyncio.Future[None]]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._looks = 0

    def place(self, key: str) -> "Place":
        """Return a context in which `key` holds a place.

        Entering it waits, and raises `EngineUnavailable` when too many wait already.
        """
        return Place(self, key)

    @property
    def waiting(self) -> int:
        """How many requests wait."""
        return self._waiting

    def close(self) -> None:
        """Stop looking for places, and cancel the requests that wait."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        lines, self._lines = self._lines, {}
        self._since.clear()
        self._waiting = 0
        for line in lines.values():
            for turn in line:
                turn.cancel()

    def take(self, key: str) -> bool:
        """Take a place at once if no other request waits and one is free for `key`."""
        return not self._lines and self._places.take(((key, self._clock()),)) is not None

    async def wait(self, key: str) -> None:
        """Wait in turn for a place."""
        line = self._lines.get(key)
        if self._waiting >= self._most or (line and len(line) >= self._most // 2):
            raise EngineUnavailable(
                "Too many requests wait for this model's engine. Retry after 1 s.", headers=_RETRY
            )
        if line is None:
            line = self._lines[key] = deque()
            self._since[key] = self._clock()
        turn = asyncio.get_running_loop().create_future()
        line.append(turn)
        self._waiting += 1
        self._serve()
        try:
            await turn
        except BaseException:
            if turn.cancelled():
                self._remove(key, turn)
            else:  # the place came in the moment in which the caller left
                self.give_back(key)
            raise

    def give_back(self, key: str) -> None:
        """Return a place, and pass it to the request whose turn it is."""
        self._places.give_back(key)
        if self._lines:
            self._serve()

    def _serve(self) -> None:
        """Give away every place that is free for a key that waits here."""
        while self._lines:
            key = self._places.take(self._since.items())
            if key is None:
                self._look_later()
                return
            turn = self._next(key)
            if turn.done():  # its caller just left
                self._places.give_back(key)
            else:
                turn.set_result(None)

    def _next(self, key: str) -> "asyncio.Future[None]":
        """Remove the first request of `key` from its line; the key moves behind the others."""
        line = self._lines[key]
        turn = line.popleft()
        self._waiting -= 1
        del self._since[key]
        if line:
            self._since[key] = self._clock()
        else:
            self._end(key)
        return turn

    def _remove(self, key: str, turn: "asyncio.Future[None]") -> None:
        line = self._lines.get(key)
        if line is None or turn not in line:
            return
        line.remove(turn)
        self._waiting -= 1
        if not line:
            del self._since[key]
            self._end(key)

    def _end(self, key: str) -> None:
        del self._lines[key]
        if not self._lines:
            self._places.leave()

    def _look_later(self) -> None:
        if self._look is not None and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._look, self._look_now)

    def _look_now(self) -> None:
        self._timer = None
        if not self._lines:
            return
        self._looks += 1
        if self._looks % _REPAIR == 0:
            self._places.repair()
        if self._places.changed():
            self._serve()
        else:
            self._look_later()


_REPAIR = 50
"""Looks between two searches for workers that died."""


class Place:
    """A place with an engine, held while the context is open."""

    __slots__ = ("_key", "_queue")

    def __init__(self, queue: FairQueue, key: str) -> None:
        self._queue = queue
        self._key = key

    async def __aenter__(self) -> None:
        if not self._queue.take(self._key):
            await self._queue.wait(self._key)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._queue.give_back(self._key)
