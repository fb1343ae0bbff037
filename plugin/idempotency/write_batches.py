"""Small transactions off the event loop: those of one moment go into one, callers in turn."""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine

from plugin.pools.threads import Threads

T = TypeVar("T")

_Work = tuple[Callable[[Connection], Any], "asyncio.Future[Any]"]
_MOST = 100


class Batches:
    """Runs what is asked for on one connection in a thread: each caller's work in its order.

    Callers take turns, so that one who asks for much does not delay another's work by more than a
    batch. Where the database fails, all of a batch fails.
    """

    def __init__(self, engine: Engine, threads: Threads) -> None:
        self._engine = engine
        self._threads = threads
        self._waiting = OrderedDict[str, deque[_Work]]()
        self._task: asyncio.Task[None] | None = None

    def run(self, caller_id: str, work: Callable[[Connection], T]) -> "asyncio.Future[T]":
        """The result of `work`, which is carried out even when nobody waits for it any more."""
        result: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(caller_id, deque()).append((work, result))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())
        return result

    async def close(self) -> None:
        """Finish what was asked for."""
        while self._task is not None and not self._task.done():
            await asyncio.wait({self._task})

    async def _run(self) -> None:
        while self._waiting:
            batch = self._next()
            try:
                results = await self._threads.run(self._all, [work for work, _ in batch])
            except Exception as error:  # noqa: BLE001 - each of them is told
                for _, future in batch:
                    if not future.done():
                        future.set_exception(error)
                continue
            for (_, future), result in zip(batch, results, strict=True):
                if not future.done():
                    future.set_result(result)

    def _next(self) -> "list[_Work]":
        batch: list[_Work] = []
        while self._waiting and len(batch) < _MOST:
            caller_id, works = self._waiting.popitem(last=False)
            batch.append(works.popleft())
            if works:
                self._waiting[caller_id] = works  # behind all others
        return batch

    def _all(self, works: list[Callable[[Connection], Any]]) -> list[Any]:
        with self._engine.begin() as connection:
            return [work(connection) for work in works]
