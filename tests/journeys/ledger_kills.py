"""Streams of a service whose processes are killed, callers who leave, and what the ledger says."""

import asyncio
import os
import random
import signal
import sqlite3
import subprocess
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from plugin.server import status_file
from tests.clients.event_stream import Answered, post
from tests.journeys.in_process import plugin_here
from tests.journeys.running import (
    PATIENCE,
    PLUGIN,
    Address,
    Settings,
    free_port,
    new_key,
    surroundings,
)
from tests.journeys.streaming import children

PATH = "/v1/chat/completions"
_LONGEST = 120.0
_TRIES = 500


class Service:
    """`plugin serve` that is started again when it was killed."""

    def __init__(self, directory: Path, workers: int, settings: Settings) -> None:
        self.port = free_port()
        self.directory = directory
        self._arguments = ("serve", "--workers", str(workers), "--port", str(self.port))
        self._surroundings = surroundings({"PLUGIN_LOG_LEVEL": "warning", **settings})
        self._process = self._begin()

    def wait(self) -> None:
        """Return when it serves."""
        deadline = time.monotonic() + PATIENCE
        while not self._serves():
            assert time.monotonic() < deadline, self.log()
            assert self._process.poll() is None, self.log()
            time.sleep(0.05)

    def kill_one(self, chance: random.Random) -> str:
        """Kill its parent or a worker, and see to it that all is as before; gives which it was."""
        workers = children(self._process.pid)
        victim = chance.choice([self._process.pid, *workers])
        os.kill(victim, signal.SIGKILL)
        if victim != self._process.pid:
            return "a worker"
        self._process.wait()
        self._process = self._begin()
        self.wait()
        return "the parent"

    def stop(self) -> None:
        """End it in good order, or else at all."""
        self._process.terminate()
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def log(self) -> str:
        """What it has written."""
        return (self.directory / "err.txt").read_text()

    def _begin(self) -> "subprocess.Popen[bytes]":
        with (self.directory / "err.txt").open("ab") as log:
            return subprocess.Popen(  # noqa: S603 - our own command
                [*PLUGIN, *self._arguments],
                cwd=self.directory,
                env=self._surroundings,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def _serves(self) -> bool:
        """Whether it does itself: workers whose parent was killed may answer for a moment."""
        found = status_file.read(self.directory / "data")
        if found is None or found.pid != self._process.pid:
            return False
        try:
            return Address(self.port).call("GET", "/readyz").status == 200
        except OSError:
            return False


@contextmanager
def service(directory: Path, workers: int, settings: Settings) -> Iterator[tuple[Service, str]]:
    """One that serves, and a key that may ask it as often as it likes."""
    key = new_key(directory)["key"]
    lifted = plugin_here(directory, "limits", "set", "concurrent", "unlimited", "--key", "*")
    assert lifted.returncode == 0, lifted.stderr
    started = Service(directory, workers, settings)
    try:
        started.wait()
        yield started, key
    finally:
        started.stop()


@dataclass(frozen=True, slots=True)
class Try:
    """What the caller saw of one request."""

    request_id: str
    status: int
    done: bool
    tokens: int


@dataclass
class Streams:
    """Callers of one service, `at_once` at a time, and all that they saw."""

    port: int
    key: str
    at_once: int
    body: Mapping[str, Any]
    tries: list[Try] = field(default_factory=list)

    async def seen(self, tries: int) -> None:
        """Return when so many requests have ended."""
        while len(self.tries) < tries:  # noqa: ASYNC110 - to be near is enough
            await asyncio.sleep(0.005)

    async def answered(self, count: int, name: str) -> None:
        """Ask until `count` streams came whole; whatever fails is asked once more."""
        numbers = iter(range(count))
        await asyncio.gather(*(self._answered(numbers, name) for _ in range(self.at_once)))

    async def left(self, leaving: Sequence[int], name: str) -> None:
        """As many callers as there are numbers; each hangs up after so many events."""
        numbers = iter(enumerate(leaving))
        await asyncio.gather(*(self._left(numbers, name) for _ in range(self.at_once)))

    async def _answered(self, numbers: Iterator[int], name: str) -> None:
        for number in numbers:
            for again in range(_TRIES):
                found = await self._ask(f"{name}-{number}-{again}", None)
                if found.done:
                    break
                await asyncio.sleep(0.2)

    async def _left(self, numbers: Iterator[tuple[int, int]], name: str) -> None:
        for number, events in numbers:
            await self._ask(f"{name}-{number}", events)

    async def _ask(self, request_id: str, leave_after: int | None) -> Answered:
        body = {**self.body, "stream": True, "user": request_id}
        asking = post(
            self.port, PATH, self.key, body, leave_after=leave_after, request_id=request_id
        )
        try:
            found = await asyncio.wait_for(asking, _LONGEST)
        except OSError:
            found = Answered()
        self.tries.append(Try(request_id, found.status, found.done, found.tokens))
        return found


async def kills(started: Service, streams: Streams, count: int, name: str, seed: int) -> str:
    """`count` streamed replies, and a kill of a random process somewhere among them."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    asking = asyncio.ensure_future(streams.answered(count, name))
    await streams.seen(len(streams.tries) + chance.randrange(count // 10, count * 8 // 10))
    victim = await asyncio.to_thread(started.kill_one, chance)
    await asking
    return victim


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the ledger."""

    ended: str
    status: int | None
    tokens_out: int


@dataclass
class Books:
    """The ledger of a service that has ended."""

    rows: dict[str, list[Row]]
    open: int
    verified: str
    faults: bool

    def of(self, one: Try) -> list[Row]:
        return self.rows.get(one.request_id, [])

    def endings(self) -> dict[str, int]:
        """How many calls ended in which way."""
        ended = (row.ended for rows in self.rows.values() for row in rows)
        return dict(Counter(ended).most_common())


def books(directory: Path) -> Books:
    """What `plugin ledger verify` says, and every call by its request id."""
    done = plugin_here(directory, "ledger", "verify")
    rows: dict[str, list[Row]] = {}
    with sqlite3.connect(directory / "data" / "plugin.db") as database:
        wanted = "SELECT request_id, ended, status, tokens_out FROM ledger WHERE kind = 'call'"
        for request_id, *row in database.execute(wanted):
            rows.setdefault(request_id, []).append(Row(*row))
        (still_open,) = database.execute("SELECT count(*) FROM ledger_open").fetchone()
    database.close()
    return Books(rows, still_open, done.stdout.strip(), done.returncode != 0)


def violations(found: Books, tries: Sequence[Try]) -> dict[str, int]:
    """What must not be, and how often it is."""
    answered = [one for one in tries if one.done]
    begun = [one for one in tries if one.status == 200]
    whole = {("whole", 200)}
    return {
        "answered calls without a row": sum(not found.of(one) for one in answered),
        "answered calls whose row says something else": sum(
            {(row.ended, row.status) for row in found.of(one)} not in (whole, set())
            for one in answered
        ),
        "begun calls without a row": sum(not found.of(one) for one in begun),
        "doubled rows": sum(len(rows) - 1 for rows in found.rows.values()),
        "calls that nobody marked": found.open,
        "faults of the ledger": int(found.faults),
    }


def undelivered(found: Books, tries: Sequence[Try], most: Mapping[str, int]) -> int:
    """Calls whose row tells fewer tokens than the caller saw, or more than were made (`most`)."""
    return sum(
        not (one.tokens <= row.tokens_out <= most[one.request_id])
        for one in tries
        for row in found.of(one)
    )
