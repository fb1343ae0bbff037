"""A gate with limits as a test wants them, on real counts, and a book that can be read."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from plugin.gate.counters.shared import SharedCounters
from plugin.gate.gate import Gate
from plugin.gate.limits import Limit
from plugin.gate.limits_store import WatchedLimits
from plugin.gate.prices import Price, Prices
from plugin.gate.queue import Queue, Room
from plugin.ledger.entries import Call, Outcome


class Notes:
    """A book in memory."""

    healthy = True

    def __init__(self) -> None:
        self.opened_calls: dict[int, Call] = {}
        self.settled_calls: list[tuple[int, Call, Outcome]] = []

    def opened(self, call: Call) -> int:
        number = len(self.opened_calls) + 1
        self.opened_calls[number] = call
        return number

    def amended(self, number: int, call: Call) -> None:
        self.opened_calls[number] = call

    def settled(self, number: int, call: Call, outcome: Outcome) -> None:
        self.settled_calls.append((number, call, outcome))

    def flush(self) -> None:
        """All of it is at hand at once."""

    @property
    def only(self) -> tuple[Call, Outcome]:
        """The one call that was opened and settled, once."""
        ((number, call, outcome),) = self.settled_calls
        assert list(self.opened_calls) == [number]
        return call, outcome


class Given(WatchedLimits):
    """Limits that a test changes by hand."""

    def __init__(self, limits: Sequence[Limit]) -> None:
        self.limits: Sequence[Limit] | None = limits

    def changed(self) -> Sequence[Limit] | None:
        found, self.limits = self.limits, None
        return found


@contextmanager
def gate_with(
    directory: Path,
    *limits: Limit,
    prices: dict[str, Price] | None = None,
    room: Room | None = None,
    wall: Callable[[], float] = time.time,
) -> Iterator[tuple[Gate, Notes]]:
    """A gate, and its book."""
    with closing(SharedCounters(directory / "counters.bin", wall)) as counters:
        queue = None if room is None else Queue(counters, room)
        book = Notes()
        yield Gate(counters, Prices(prices), Given(limits), book, queue, wall), book
