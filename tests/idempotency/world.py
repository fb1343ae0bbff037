"""Workers of one service with one database, in one process."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, select

from plugin.idempotency.keys import Idempotency
from plugin.idempotency.store import Answer, Name, keys
from plugin.storage.database import open_blocking
from tests.migrated import place_database
from tests.pools.threads import some_threads

NAME = Name("key_a", "one")
SAME, OTHER = b"s" * 32, b"o" * 32
DONE = Answer(201, ((b"content-type", b"application/json"), (b"x", b"\xe9")), b'{"id": 1}')


@dataclass
class World:
    """A database, a clock, and the workers that were started."""

    directory: Path
    now: float = 1_000_000.0
    engines: list[Engine] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"sqlite:///{self.directory / 'plugin.db'}"

    def engine(self, wait: float = 0.2) -> Engine:
        engine = open_blocking(self.url, wait=wait)
        self.engines.append(engine)
        return engine

    def clock(self) -> float:
        return self.now

    def worker(self, **options: Any) -> Idempotency:
        holders = self.directory / "holders"
        return Idempotency(self.engine(), some_threads(), holders, self.clock, **options)

    def rows(self) -> list[dict[str, Any]]:
        with self.engines[0].connect() as connection:
            return [dict(row) for row in connection.execute(select(keys)).mappings()]


def die(worker: Idempotency) -> None:
    """What the system does for a worker that is killed."""
    os.close(worker._lease._file)


@asynccontextmanager
async def world(directory: Path) -> AsyncIterator[World]:
    made = World(directory)
    place_database(directory / "plugin.db")
    made.engine()
    try:
        yield made
    finally:
        for engine in made.engines:
            engine.dispose()
