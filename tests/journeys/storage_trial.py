"""The whole service under load while something happens to its storage, and what came of it."""

import asyncio
import math
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.journeys.accounted_load import Account, Accounted, Told, account, rows_of
from tests.journeys.in_process import plugin_here
from tests.journeys.restartable import Restartable, restartable
from tests.journeys.running import Running, Settings, new_key, until
from tests.journeys.storage_faults import Fault

REQUESTS = (
    *[("GET", "/v1/models", b"")] * 7,
    ("GET", "/todos", b""),
    ("POST", "/todos", b'{"text": "buy milk"}'),
)
"""Calls that need no database, ones that read it, and ones that write to it."""

_PATIENCE = 60


@dataclass(frozen=True)
class Sizes:
    """How long each part of a trial lasts, in seconds, and how much is done.

    Each client pauses for `pause` seconds between its calls. With `enough`, the fault lasts until
    the load is enough, however long that takes.
    """

    before: float = 1.0
    during: float = 5.0
    after: float = 2.0
    clients: int = 8
    workers: int = 1
    pause: float = 0.0
    enough: Callable[[Accounted], bool] | None = None


@dataclass(frozen=True)
class Outcome:
    """What came of a trial; times in seconds."""

    before: Sequence[Told]
    during: Sequence[Told]
    after: Sequence[Told]
    unanswered: int
    account: Account
    rows: int
    booked_after: float
    """From the end of the load until every call had its row."""
    back_after: float
    """From the end of the fault until the last call that failed by it."""
    verified: str
    """What `plugin ledger verify` said, once it found nothing."""
    log: str

    @property
    def violations(self) -> list[str]:
        """What must not be, in words."""
        said = [
            f"{len(names)} calls {what}, such as {names[0]}"
            for what, names in (
                ("without a row", self.account.missing),
                ("with two rows", self.account.doubled),
                ("refused and yet with a row", self.account.unfounded),
            )
            if names
        ]
        if self.unanswered:
            said.append(f"{self.unanswered} calls without an answer")
        if not self.verified:
            said.append("the ledger is not as written")
        failing = Counter(call.status for call in self.during if call.status == 500)
        if failing:
            said.append(f"{failing[500]} calls ended with an unforeseen error (500)")
        return said


@dataclass(frozen=True)
class Stored:
    """A service, its data directory, and a key."""

    service: Restartable
    data: Path
    settings: Settings
    key: str

    @property
    def running(self) -> Running:
        return self.service.running

    @property
    def directory(self) -> Path:
        return self.service.directory


@contextmanager
def stored(directory: Path, data: Path | None = None, workers: int = 1) -> Iterator[Stored]:
    """Run the service in `directory`; each of its workers has a journal."""
    data = data or directory / "data"
    settings = {"PLUGIN_DATA_DIR": str(data), "PLUGIN_LOG_LEVEL": "warning"}
    key = new_key(directory, settings=settings)["key"]
    with restartable(directory, workers, settings) as service:
        assert service.running
        until(lambda: len([*(data / "journal").glob("*.log")]) == workers)
        yield Stored(service, data, settings, key)


def trial(directory: Path, fault: Fault, sizes: Sizes, data: Path | None = None) -> Outcome:
    """Run the service in `directory` and let the fault befall it; `data` is its data directory."""
    with stored(directory, data, sizes.workers) as service:
        return befall(service, fault, sizes)


def befall(
    service: Stored, fault: Fault, sizes: Sizes, *, name: str = "c", key: str | None = None
) -> Outcome:
    """Let the fault befall a service under load. The request ids begin with `name`."""
    data, pid = service.data, service.running.process.pid
    port = service.running.address.port
    load = Accounted(port, key or service.key, sizes.clients, REQUESTS, sizes.pause)
    begun, ended = asyncio.run(_drive(load, lambda: fault(data, pid), sizes, name))
    stopped = time.monotonic()
    found = _booked(data / "plugin.db", load)
    booked = time.monotonic() - stopped
    checked = plugin_here(service.directory, "ledger", "verify", settings=service.settings)
    failed = [call.at for call in load.calls if call.at > ended and call.status >= 400]
    return Outcome(
        [call for call in load.calls if call.at <= begun],
        [call for call in load.calls if begun < call.at <= ended],
        [call for call in load.calls if call.at > ended],
        len(load.unanswered),
        found,
        len(rows_of(data / "plugin.db")),
        booked,
        max(failed, default=ended) - ended,
        "" if checked.returncode else checked.stdout.strip(),
        service.running.err,
    )


async def _drive(
    load: Accounted, fault: Callable[[], AbstractContextManager[None]], sizes: Sizes, name: str
) -> tuple[float, float]:
    stop = asyncio.Event()
    calling = asyncio.create_task(load.until(stop, name))
    await asyncio.sleep(sizes.before)
    with ExitStack() as stack:
        begun = time.monotonic()
        stack.enter_context(fault())
        await asyncio.sleep(sizes.during)
        if sizes.enough is not None:
            async with asyncio.timeout(_PATIENCE):
                while not sizes.enough(load):  # noqa: ASYNC110 - to be near is enough
                    await asyncio.sleep(0.05)
        ended = time.monotonic()
    await asyncio.sleep(sizes.after)
    stop.set()
    await asyncio.wait_for(calling, _PATIENCE)
    return begun, ended


def _booked(database: Path, load: Accounted) -> Account:
    """The account as soon as it is right; as it is when it does not become so."""
    until = time.monotonic() + _PATIENCE
    while True:
        found = account(database, load)
        if found.is_right or time.monotonic() > until:
            return found
        time.sleep(0.1)


def p99(calls: Sequence[Told]) -> float:
    """The time within which 99 % were answered, in milliseconds; 0 without calls."""
    times = sorted(call.took for call in calls)
    return times[math.ceil(len(times) * 0.99) - 1] * 1000 if times else 0.0


def tally(calls: Sequence[Told]) -> str:
    """How many calls there were of each kind, in words."""
    kinds = Counter(f"{call.status} {call.code}".strip() for call in calls)
    return ", ".join(f"{count} x {kind}" for kind, count in sorted(kinds.items())) or "none"
