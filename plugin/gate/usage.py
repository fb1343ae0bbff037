"""What the log of calls holds: every call of a model, written in batches, summed for its caller."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import BigInteger, Column, Index, Integer, String, Table, func, select
from sqlalchemy.engine import RowMapping
from sqlalchemy.ext.asyncio import AsyncEngine

from plugin.storage.database import FAILURES, metadata

log = logging.getLogger(__name__)

_CAPACITY = 100_000
_LONGEST = 256

model_calls = Table(
    "model_calls",
    metadata,
    Column("serial", Integer, primary_key=True),
    Column("time", BigInteger, nullable=False),
    Column("request_id", String(128), nullable=False),
    Column("caller_id", String(64), nullable=False),
    Column("path", String(_LONGEST), nullable=False),
    Column("model", String(_LONGEST), nullable=False),
    Column("answered_by", String(_LONGEST)),
    Column("tokens_in", BigInteger, nullable=False),
    Column("tokens_out", BigInteger, nullable=False),
    Column("status", Integer),
    Column("milliseconds", BigInteger, nullable=False),
    Column("ended", String(64)),
    Index("ix_model_calls_caller_id_time", "caller_id", "time"),
    Index("ix_model_calls_time", "time"),
)
"""`time` is when a call ended, in milliseconds since 1970; `status` None: nobody waited for one."""


class UsageLog:
    """Takes the records of requests that named a model, and writes them from one task.

    `write` only remembers, so what is written lags by up to `every` seconds, and a kill of the
    process loses that much. When the database fails, records wait for it, up to a bound.
    """

    def __init__(
        self, database: AsyncEngine, clock: Callable[[], float], every: float = 0.5
    ) -> None:
        self._database = database
        self._clock = clock
        self._every = every
        self._waiting: deque[dict[str, Any]] = deque(maxlen=_CAPACITY)
        self._dropped = 0
        self._writing = asyncio.Lock()
        self._stop = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to write."""
        self._task = asyncio.create_task(self._run())

    def write(self, record: Mapping[str, Any]) -> None:
        """Remember the record of a request, if it named a model."""
        if record.get("model") is None or record["caller"] is None:
            return
        if len(self._waiting) == _CAPACITY:
            self._dropped += 1
        self._waiting.append(_row(record, self._clock()))

    async def flush(self) -> None:
        """Write what waits, now; what cannot be written goes on waiting."""
        async with self._writing:
            rows = list(self._waiting)
            if not rows:
                return
            self._waiting.clear()
            try:
                async with self._database.begin() as connection:
                    await connection.execute(model_calls.insert(), rows)
            except FAILURES as error:
                self._put_back(rows)
                log.warning("%d calls wait for the usage log: %s", len(rows), error)
                return
            if self._dropped:
                log.warning("the usage log lost %d calls", self._dropped)
                self._dropped = 0

    async def close(self) -> None:
        """Write what is left and end."""
        self._stop.set()
        if self._task is not None:
            await self._task
        await self.flush()

    async def sums(
        self, since: int, until: int, step: int, caller_id: str | None
    ) -> Sequence[RowMapping]:
        """Calls and tokens from `since` to before `until`, for each `step`: all in milliseconds.

        Each sum is of one step (its `start`), path, model and answering model; `caller_id` None is
        everybody. What is not written yet here is written first.
        """
        await self.flush()
        calls = model_calls.c
        start = (calls.time - calls.time % step).label("start")
        groups = (start, calls.path, calls.model, calls.answered_by)
        wanted = (
            select(
                *groups,
                func.count().label("calls"),
                func.sum(calls.tokens_in).label("tokens_in"),
                func.sum(calls.tokens_out).label("tokens_out"),
            )
            .where(calls.time >= since, calls.time < until)
            .group_by(*groups)
            .order_by(*groups)
        )
        if caller_id is not None:
            wanted = wanted.where(calls.caller_id == caller_id)
        async with self._database.connect() as connection:
            return (await connection.execute(wanted)).mappings().all()

    def _put_back(self, rows: Sequence[dict[str, Any]]) -> None:
        room = _CAPACITY - len(self._waiting)
        kept = rows[max(0, len(rows) - room) :]
        self._dropped += len(rows) - len(kept)
        self._waiting.extendleft(reversed(kept))

    async def _run(self) -> None:
        while not self._stop.is_set():
            try:
                await asyncio.wait_for(self._stop.wait(), self._every)
            except TimeoutError:
                await self.flush()


def _row(record: Mapping[str, Any], now: float) -> dict[str, Any]:
    return {
        "time": int(now * 1000),
        "request_id": record["request_id"],
        "caller_id": record["caller"],
        "path": record["path"],
        "model": str(record["model"])[:_LONGEST],
        "answered_by": record.get("answered_by"),
        "tokens_in": record.get("tokens_in", 0),
        "tokens_out": record.get("tokens_out", 0),
        "status": record["status"],
        "milliseconds": round(record["ms"]),
        "ended": record.get("ended"),
    }
