"""What a worker tells of its work: figures, and why it turned calls away; looked after here."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from plugin.pools.threads import Threads
from plugin.telemetry.metrics import Metrics
from plugin.telemetry.record import RequestRecord
from plugin.telemetry.rejections import Decisions
from plugin.telemetry.remaining import Remaining
from plugin.telemetry.samples import Figures

_EVERY = 1.0


class Telemetry:
    """Takes the record of each request."""

    def __init__(
        self,
        metrics: Metrics,
        decisions: Decisions,
        threads: Threads,
        remaining: Remaining | None = None,
    ) -> None:
        self.metrics = metrics
        self.threads = threads
        self.decisions = decisions
        self._remaining = remaining

    def record(self, record: RequestRecord, way: list[dict[str, Any]], *, admitted: bool) -> None:
        """Take in a request that has ended, at once; `way` is what happened to it."""
        self.metrics.record(record)
        if way and not admitted:
            self.decisions.add(record, way)

    def tend(self) -> None:
        """Write down what was taken in."""
        self.decisions.tend()
        self.metrics.tend()

    async def figures(self) -> Figures:
        """All figures there are, of all workers. Raises `OSError`."""
        self.tend()
        remaining = self._remaining
        if remaining is None:
            return await self.threads.run(self.metrics.gathered)
        scopes = remaining.scopes()
        busiest = await self.threads.run(remaining.busiest, scopes)
        figures = await self.threads.run(self.metrics.gathered)
        remaining.add(figures, busiest)
        return figures


@asynccontextmanager
async def kept(
    metrics: Metrics, decisions: Decisions, threads: Threads, remaining: Remaining | None = None
) -> AsyncIterator[Telemetry]:
    """Telemetry that is written down every second, and once more at the end."""
    telemetry = Telemetry(metrics, decisions, threads, remaining)
    keeping = asyncio.create_task(_keep(telemetry))
    try:
        yield telemetry
    finally:
        keeping.cancel()
        with suppress(asyncio.CancelledError):
            await keeping
        decisions.tend()
        metrics.close()


async def _keep(telemetry: Telemetry) -> None:
    while True:
        telemetry.tend()
        await asyncio.sleep(_EVERY)
