"""Lets calls in: by limits, prices and counts that all workers share, or says why not."""

import logging
import time
from collections.abc import Awaitable, Callable, Sequence

from plugin.auth.caller import Caller
from plugin.errors import LimitReached, StorageUnavailable
from plugin.gate.admission import Admission
from plugin.gate.book import Book
from plugin.gate.counters.protocol import (
    FAILURES,
    NOTHING_TAKEN,
    Counters,
    Level,
    Refusal,
    Take,
    Taken,
)
from plugin.gate.limits import Limits, Plan, month_of
from plugin.gate.limits_store import WatchedLimits
from plugin.gate.prices import Prices
from plugin.gate.queue import Queue
from plugin.gate.refusals import Standing, refused
from plugin.ledger.entries import Call

log = logging.getLogger(__name__)

_MICROSECONDS = 1_000_000
_NOT_WRITTEN = (
    "This service cannot write its ledger, so it lets nobody in, and nothing was done; the call "
    "may be right. The operator must make room in PLUGIN_DATA_DIR; it goes on by itself then."
)
_NOT_COUNTED = (
    "This service has no room to count this call against its limits, so it lets it not in, and "
    "nothing was done; the call may be right. The operator must make room in PLUGIN_DATA_DIR, or "
    "set fewer limits that count each key or model for itself; it goes on by itself then."
)


class Gate:
    """Lets calls through and settles them, by limits, prices and counts that all workers share.

    Without a `book` nothing is written down, without a `queue` nobody waits. `clock` is the wall
    clock: months and the ledger go by it, windows by the clock of the counters.
    """

    def __init__(
        self,
        counters: Counters,
        prices: Prices,
        watched: WatchedLimits,
        book: Book | None = None,
        queue: Queue | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.counters = counters
        self.prices = prices
        self.book = book
        self.queue = queue
        self.clock = clock
        self._watched = watched
        self._limits = Limits((), prices, "")
        self._owed: list[tuple[Taken, Sequence[int]]] = []
        self._settling_fails = False
        self.tick()

    def tick(self) -> None:
        """See whether a new month has begun, and settle what could not be; every second or so."""
        owed, self._owed = self._owed, []
        for taken, actual in owed:
            self.settle(taken, actual)
        month = month_of(self.clock())
        if month != self._limits.month:
            self._limits = self._limits.in_month(month)

    @property
    def limits(self) -> Limits:
        """The limits as they are now."""
        changed = self._watched.changed()
        if changed is not None:
            self._limits = Limits(changed, self.prices, self._limits.month)
        return self._limits

    def admit(
        self, caller: Caller, action: str, door: str, request_id: str
    ) -> Admission | Awaitable[Admission]:
        """Let a call in; where it must wait for it, what to await.

        Raises `LimitReached` before anything is done, at once or after the waiting, and
        `StorageUnavailable` while no more calls can be written down.
        """
        if self.book is not None and not self.book.healthy:
            raise StorageUnavailable(_NOT_WRITTEN)
        plan = self.limits.at_admission(caller.id, action)
        call = Call(
            int(self.clock() * _MICROSECONDS), request_id, caller.id, caller.name, door, action
        )
        found = self.take(plan)
        if isinstance(found, Refusal):
            return self._admit_later(call, plan, self.wait(caller.id, plan, found))
        return Admission(self, call, plan, found)

    async def _admit_later(self, call: Call, plan: Plan, turn: Awaitable[Taken]) -> Admission:
        begun = time.perf_counter()
        taken = await turn
        if self.book is not None and not self.book.healthy:  # it may have changed meanwhile
            self.settle(taken, [0] * len(taken.takes))
            raise StorageUnavailable(_NOT_WRITTEN)
        return Admission(self, call, plan, taken, time.perf_counter() - begun)

    def at_model(self, call: Call, model: str) -> Plan:
        """What a call that was let in meets at its model."""
        return self._limits.at_model(call.caller_id, call.action, model)

    def take(self, plan: Plan) -> Taken | Refusal:
        """Take everything that a plan says; refused where others wait for it: nobody overtakes."""
        if not plan.takes:
            return NOTHING_TAKEN
        try:
            found = self.counters.take(plan.takes)
        except FAILURES:
            raise StorageUnavailable(_NOT_COUNTED) from None
        ahead = None if self.queue is None else self.queue.ahead(plan.takes)
        if ahead is None or isinstance(found, Refusal):
            return found
        self.settle(found, [0] * len(found.takes))
        return Refusal(ahead, self._level(ahead), None if ahead.kind == "running" else 0.0)

    def _level(self, take: Take) -> Level:
        try:
            return self.counters.level(take)
        except FAILURES:
            raise StorageUnavailable(_NOT_COUNTED) from None

    def settle(self, taken: Taken, actual: Sequence[int]) -> None:
        """End what a call took; where the counts cannot be reached, `tick` tries it again."""
        try:
            self.counters.settle(taken, actual)
        except FAILURES:
            if not self._settling_fails:
                log.exception("what calls took of their limits cannot be given back yet")
            self._settling_fails = True
            self._owed.append((taken, actual))
        else:
            self._settling_fails = False

    def wait(self, key: str, plan: Plan, refusal: Refusal) -> Awaitable[Taken]:
        """What to await for one's turn; raises `LimitReached` where there is no waiting."""
        if self.queue is None or not self.queue.admits(refusal):
            raise self._refused(plan, refusal)
        return self._turn(self.queue, key, plan, refusal)

    async def _turn(self, queue: Queue, key: str, plan: Plan, refusal: Refusal) -> Taken:
        try:
            found = await queue.wait(key, plan.takes, refusal)
        except FAILURES:
            raise StorageUnavailable(_NOT_COUNTED) from None
        if isinstance(found, Refusal):
            raise self._refused(plan, found)
        return found

    def _refused(self, plan: Plan, refusal: Refusal) -> LimitReached:
        standing = Standing(plan, [self._level(take) for take in plan.takes])
        return refused(plan.named(refusal.take), refusal, [standing], self.clock())
