"""Waiting instead of a refusal: bounded, in turn between keys, left at any time."""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from plugin.gate.counters.protocol import FAILURES, Counters, Refusal, Take, Taken

_LOOK = 0.02
"""Seconds after which somebody looks again: another worker does not say when it is done."""


@dataclass(slots=True, eq=False)
class _Waiter:
    key: str
    takes: Sequence[Take]
    refusal: Refusal
    answer: "asyncio.Future[Taken | Refusal]" = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )


class _Line:
    """Those who wait for one count: each key's first one in turn."""

    def __init__(self) -> None:
        self._keys: OrderedDict[str, deque[_Waiter]] = OrderedDict()

    def __bool__(self) -> bool:
        return bool(self._keys)

    def append(self, waiter: _Waiter) -> None:
        self._keys.setdefault(waiter.key, deque()).append(waiter)

    def first(self) -> _Waiter:
        return next(iter(self._keys.values()))[0]

    def remove(self, waiter: _Waiter) -> None:
        mine = self._keys.get(waiter.key)
        if mine is None or waiter not in mine:
            return
        mine.remove(waiter)
        if mine:
            self._keys.move_to_end(waiter.key)
        else:
            del self._keys[waiter.key]


class Room(NamedTuple):
    """How many may wait in a worker, and for how long at most."""

    most: int = 0
    seconds: float = 10.0


class Queue:
    """The lines of one worker: one for each count that is waited for."""

    def __init__(self, counters: Counters, room: Room) -> None:
        self._counters = counters
        self._most, self._seconds = room
        self._waiting = 0
        self._lines: dict[str, _Line] = {}
        self._servers = set[asyncio.Task[None]]()
        self._freed = asyncio.Event()

    def ahead(self, takes: Sequence[Take]) -> Take | None:
        """Which of these others wait for already."""
        if not self._lines:
            return None
        return next((take for take in takes if take.name in self._lines), None)

    def admits(self, refusal: Refusal) -> bool:
        """Whether waiting helps, is short enough, and there is room."""
        return self._waiting < self._most and self._helps(refusal)

    async def wait(self, key: str, takes: Sequence[Take], refusal: Refusal) -> Taken | Refusal:
        """Wait in line until `takes` can be taken; the refusal it was when time is over."""
        waiter = _Waiter(key, takes, refusal)
        self._waiting += 1
        self._join(waiter)
        try:
            async with asyncio.timeout(self._seconds):
                return await waiter.answer
        except TimeoutError:
            self._give_back(waiter)
            return waiter.refusal
        except BaseException:
            self._give_back(waiter)
            raise
        finally:
            self._waiting -= 1
            for line in self._lines.values():
                line.remove(waiter)

    def freed(self) -> None:
        """Somebody here is done: it may be the next one's turn."""
        if self._lines:
            self._freed.set()
            self._freed = asyncio.Event()

    async def close(self) -> None:
        """Serve nobody any more."""
        for server in self._servers:
            server.cancel()
        await asyncio.gather(*self._servers, return_exceptions=True)

    def _helps(self, refusal: Refusal) -> bool:
        match refusal.take.kind:
            case "window":
                return refusal.retry is not None and refusal.retry <= self._seconds
            case "running":
                return refusal.take.cost <= refusal.take.cap
        return False

    def _give_back(self, waiter: _Waiter) -> None:
        """It got its turn in the very moment that it left."""
        done = waiter.answer.done() and not waiter.answer.cancelled()
        if done and waiter.answer.exception() is None:
            answer = waiter.answer.result()
            if isinstance(answer, Taken):
                self._counters.settle(answer, [0] * len(answer.takes))

    def _join(self, waiter: _Waiter) -> None:
        name = waiter.refusal.take.name
        line = self._lines.get(name)
        if line is None:
            line = self._lines[name] = _Line()
            server = asyncio.create_task(self._serve(name, line))
            self._servers.add(server)
            server.add_done_callback(self._servers.discard)
        line.append(waiter)

    async def _serve(self, name: str, line: _Line) -> None:
        try:
            while line:
                pause = self._attempt(name, line)
                if pause is not None:
                    await self._pause(pause)
        finally:
            del self._lines[name]

    def _attempt(self, name: str, line: _Line) -> float | None:
        """Let in the first one, or send it away; gives how long to wait if neither can be."""
        waiter = line.first()
        if waiter.answer.done():  # it has just left
            line.remove(waiter)
            return None
        try:
            found = self._counters.take(waiter.takes)
        except FAILURES as error:
            line.remove(waiter)
            waiter.answer.set_exception(error)
            return None
        if isinstance(found, Refusal):
            waiter.refusal = found
            if found.take.name == name and self._helps(found):
                return _LOOK if found.retry is None else found.retry
        line.remove(waiter)
        if isinstance(found, Refusal) and self._helps(found):
            self._join(waiter)  # it is something else that it must wait for
        else:
            waiter.answer.set_result(found)
        return None

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(max(0.001, min(seconds, 10 * _LOOK))):
                await self._freed.wait()
        except TimeoutError:
            return
