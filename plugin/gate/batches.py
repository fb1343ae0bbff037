"""Small transactions off the event loop: those of one moment go into one."""

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine

from plugin.pools.threads import Threads

T = TypeVar("T")

_MOST = 200


class Batches:
    """Runs what is asked for in its order, on one connection in a thread.

    Where the database fails, all of a batch fails: a locked one keeps nobody longer than once.
    """

    def __init__(self, engine: Engine, threads: Threads) -> None:
        self._engine = engine
        self._threads = threads
        self._waiting = list[tuple[Callable[[Connection], Any], "asyncio.Future[Any]"]]()
        self._task: asyncio.Task[None] | None = None

    def run(self, work: Callable[[Connection], T]) -> "asyncio.Future[T]":
        """The result of `work`, which is carried out even when nobody waits for it any more."""
        result: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting.append((work, result))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())
        return result

    async def close(self) -> None:
        """Finish what was asked for."""
        while self._task is not None and not self._task.done():
            await asyncio.wait({self._task})

    async def _run(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[:_MOST], self._waiting[_MOST:]
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

    def _all(self, works: list[Callable[[Connection], Any]]) -> list[Any]:
        with self._engine.begin() as connection:
            return [work(connection) for work in works]
