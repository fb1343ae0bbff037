"""A bounded pool of threads for one kind of work; a job that no task awaits never begins."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from functools import partial
from typing import ParamSpec, TypeVar

from plugin.pools.turns import Turns

P = ParamSpec("P")
T = TypeVar("T")


class Threads:
    """As many threads as `turns` has places: callers take turns at them.

    So no job waits in the executor, where it could not be dropped and would wait for other callers.
    """

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self._executor = ThreadPoolExecutor(turns.places, thread_name_prefix="plugin")

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return what `work` returns in a thread, with the context of the task.

        A caller that leaves or is cancelled before a thread is free has `work` not begun. Raises
        `Overloaded` when no thread is free in time, and what `work` raises.
        """
        caller = self._turns.take()
        if caller is None:
            caller = await self._turns.wait()
        try:
            job = self._executor.submit(copy_context().run, partial(work, *args, **kwargs))
        except BaseException:
            self._turns.give_back(caller)
            raise
        try:
            return await asyncio.wrap_future(job)
        finally:
            self._end(job, caller)

    def close(self) -> None:
        """Wait for the running jobs; no job waits in the executor."""
        self._executor.shutdown()

    def _end(self, job: "Future[T]", caller: str) -> None:
        """Give the thread back once it is free: a cancelled task leaves a job that goes on."""
        if job.done():
            self._turns.give_back(caller)
            return
        loop = asyncio.get_running_loop()

        def free(_: "Future[T]") -> None:
            with suppress(RuntimeError):  # the loop has ended before the job
                loop.call_soon_threadsafe(self._turns.give_back, caller)

        job.add_done_callback(free)
