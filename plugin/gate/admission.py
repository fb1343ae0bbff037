"""One call let through: what it took of its limits, what it may cost, and its end, told once."""

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import NamedTuple, Protocol

import orjson

from plugin.auth.caller import Caller
from plugin.errors import LimitReached, StorageUnavailable
from plugin.gate.counters import FAILURES, Counters, Refusal, Taken
from plugin.gate.entries import Call, Outcome
from plugin.gate.limits import Limit, Limits, Plan, month_of
from plugin.gate.limits_store import WatchedLimits
from plugin.gate.prices import Bound, Prices
from plugin.gate.queue import Queue
from plugin.gate.refusals import Standing, refused

_MICROSECONDS = 1_000_000
_FAILED = 400
_REFUSED = 429
_NOTHING = Taken((), (), ())
_NOT_WRITTEN = (
    "This service cannot write its ledger, so it lets nobody in, and nothing was done; the call "
    "may be right. The operator must make room in PLUGIN_DATA_DIR; it goes on by itself then."
)
_NOT_COUNTED = (
    "This service has no room to count this call against its limits, so it lets it not in, and "
    "nothing was done; the call may be right. The operator must make room in PLUGIN_DATA_DIR, or "
    "set fewer limits that count each key or model for itself; it goes on by itself then."
)

WHOLE = "whole"
"""How a call ended that ended well."""

REPLAYED = "replayed"
"""The same for one that got the stored answer of an equal one: it costs nothing."""


class Book(Protocol):
    """Where calls are written down; see `Journal`."""

    @property
    def healthy(self) -> bool:
        """Whether more calls can be written down."""

    def opened(self, call: Call) -> int:
        """A call was let through; gives its number."""

    def amended(self, number: int, call: Call) -> None:
        """More is known of it."""

    def flush(self) -> None:
        """Have on the disk what was let through."""

    def settled(self, number: int, call: Call, outcome: Outcome) -> None:
        """It has ended."""


class Ending(NamedTuple):
    """How a call ended: `status` None where nobody was answered, tokens by the engine's count."""

    status: int | None
    ended: str = WHOLE
    tokens_in: int = 0
    tokens_out: int = 0
    model: str | None = None
    answered_by: str | None = None


class Gate:
    """Lets calls through and settles them, by limits, prices and counts that all workers share.

    Without a `book` nothing is written down, without a `queue` nobody waits.
    """

    def __init__(
        self,
        counters: Counters,
        prices: Prices,
        watched: WatchedLimits,
        book: Book | None = None,
        queue: Queue | None = None,
    ) -> None:
        self.counters = counters
        self.prices = prices
        self.book = book
        self.queue = queue
        self._watched = watched
        self._limits = Limits((), prices, "")
        self.tick()

    def tick(self) -> None:
        """See whether a new month has begun; every second or so."""
        month = month_of(self.counters.now())
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
    ) -> "Admission | Awaitable[Admission]":
        """Let a call in; where it must wait for it, what to await.

        Raises `LimitReached` before anything is done, at once or after the waiting, and
        `StorageUnavailable` while no more calls can be written down.
        """
        if self.book is not None and not self.book.healthy:
            raise StorageUnavailable(_NOT_WRITTEN)
        plan = self.limits.at_admission(caller.id, action)
        call = Call(
            int(time.time() * _MICROSECONDS), request_id, caller.id, caller.name, door, action
        )
        found = self.take(plan)
        if isinstance(found, Refusal):
            return self._admit_later(call, plan, self.wait(caller.id, plan, found))
        return Admission(self, call, plan, found)

    async def _admit_later(self, call: Call, plan: Plan, turn: Awaitable[Taken]) -> "Admission":
        begun = time.perf_counter()
        taken = await turn
        return Admission(self, call, plan, taken, time.perf_counter() - begun)

    def at_model(self, call: Call, model: str) -> Plan:
        """What a call that was let in meets at its model."""
        return self._limits.at_model(call.caller_id, call.action, model)

    def take(self, plan: Plan) -> Taken | Refusal:
        """Take everything that a plan says; refused where others wait for it: nobody overtakes."""
        if not plan.takes:
            return _NOTHING
        try:
            found = self.counters.take(plan.takes)
        except FAILURES:
            raise StorageUnavailable(_NOT_COUNTED) from None
        ahead = None if self.queue is None else self.queue.ahead(plan.takes)
        if ahead is None or isinstance(found, Refusal):
            return found
        self.counters.settle(found, [0] * len(found.takes))
        return Refusal(ahead, self.counters.level(ahead), None if ahead.kind == "running" else 0.0)

    def wait(self, key: str, plan: Plan, refusal: Refusal) -> "Awaitable[Taken]":
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
        standing = Standing(plan, [self.counters.level(take) for take in plan.takes])
        return refused(_named(plan, refusal), refusal, [standing], self.counters.now())


class Admission:
    """A call that was let through. `settle` is called once at least; the first time counts."""

    __slots__ = (
        "_at_model",
        "_call",
        "_gate",
        "_model_price",
        "_number",
        "_of_model",
        "_plan",
        "_refused_by",
        "_settled",
        "_started",
        "_taken",
        "_units",
        "_waited",
    )

    def __init__(
        self, gate: Gate, call: Call, plan: Plan, taken: Taken, waited: float = 0.0
    ) -> None:
        self._gate = gate
        self._plan = plan
        self._taken = taken
        self._at_model: Plan | None = None
        self._of_model = _NOTHING
        self._units = 0
        self._settled = False
        self._waited = waited
        self._refused_by: Limit | None = None
        self._started = time.perf_counter()
        price = gate.prices.of(call.action).call
        self._call = call._replace(reserved=price) if price else call
        self._number = gate.book.opened(self._call) if gate.book is not None else 0

    @property
    def standing(self) -> Sequence[Standing]:
        """Where each limit stands that the call has met."""
        mine = Standing(self._plan, self._taken.levels)
        if self._at_model is None:
            return (mine,)
        return mine, Standing(self._at_model, self._of_model.levels)

    async def reserve(self, model: str, bound: Callable[[], Bound]) -> None:
        """Take what the call may need of `model` (its own name), before an engine is asked.

        Raises `LimitReached`; then it counts nowhere, not even as a request.
        """
        gate, call = self._gate, self._call
        plan = gate.at_model(call, model)
        price, units = gate.prices.of(model), 0
        if plan.shape.by_size or not price.is_free:
            most = bound()
            units = price.of(*most)
            plan = Plan(plan.shape, plan.subjects, plan.takes_for(sum(most), units))
        found = gate.take(plan)
        if isinstance(found, Refusal):
            found = await self._turn(plan, found)
        self._at_model, self._of_model = plan, found
        self._model_price, self._units = price, units
        self._call = call._replace(model=model, reserved=call.reserved + units)
        if gate.book is not None:
            gate.book.amended(self._number, self._call)

    def streams(self) -> None:
        """A piece of the answer goes out before the last: that it was let in is written first."""
        if self._gate.book is not None:
            self._gate.book.flush()

    async def _turn(self, plan: Plan, refusal: Refusal) -> Taken:
        begun = time.perf_counter()
        try:
            return await self._gate.wait(self._call.caller_id, plan, refusal)
        except LimitReached:
            self._refused_by = _named(plan, refusal)
            raise
        finally:
            self._waited += time.perf_counter() - begun

    def settle(self, ending: Ending, way: Sequence[Mapping[str, object]] = ()) -> int:
        """The call has ended: give back what it did not need, and write it down.

        `way` is what happened meanwhile (see `Trail`). Gives the units that it cost.
        """
        if self._settled:
            return 0
        self._settled = True
        gate, call = self._gate, self._call
        failed = ending.status is not None and ending.status >= _FAILED
        failed = failed or ending.ended == REPLAYED
        own = 0 if failed else call.reserved - self._units
        units = own + self._units_of_model(ending, failed=failed)
        self._settle(self._plan, self._taken, ending, own)
        if self._at_model is not None:
            self._settle(self._at_model, self._of_model, ending, units - own)
        if gate.queue is not None:
            gate.queue.freed()
        if gate.book is not None:
            self._write(gate.book, ending, units, way)
        return units

    def _units_of_model(self, ending: Ending, *, failed: bool) -> int:
        if self._at_model is None or self._model_price.is_free:
            return 0
        calls = 0 if failed else 1
        # Nothing is charged that was not reserved: so a budget is never overdrawn.
        return min(self._units, self._model_price.of(ending.tokens_in, ending.tokens_out, calls))

    def _settle(self, plan: Plan, taken: Taken, ending: Ending, units: int) -> None:
        if not taken.takes:
            return
        actual: Sequence[int] = plan.shape.ones
        if self._refused_by is not None or plan.shape.by_size:
            used = {"tokens": ending.tokens_in + ending.tokens_out, "units": units}
            usual = 0 if self._refused_by is not None else 1
            actual = [
                min(take.cost, used.get(limit.measure, usual))
                for limit, take in zip(plan.shape.limits, taken.takes, strict=True)
            ]
        self._gate.counters.settle(taken, actual)

    def _write(
        self, book: Book, ending: Ending, units: int, way: Sequence[Mapping[str, object]]
    ) -> None:
        call = self._call
        if call.model is None and ending.model is not None:
            call = call._replace(model=ending.model)
        outcome = Outcome(
            ending.tokens_in,
            ending.tokens_out,
            units,
            ending.status,
            int((time.perf_counter() - self._started) * _MICROSECONDS),
            ending.ended,
            ending.answered_by,
            self._detail(way),
        )
        book.settled(self._number, call, outcome)

    def _detail(self, way: Sequence[Mapping[str, object]]) -> str | None:
        """What the gate decided and why, where there is something to tell, as JSON."""
        left = ",".join([_left(one) for one in self.standing if one.plan.shape.told])
        told = f'{{"left":{{{left}}}}}' if left else None
        if not (way or self._waited or self._refused_by):
            return told
        more: dict[str, object] = orjson.loads(told or "{}")
        if way:
            more["way"] = way
        if self._waited:
            more["waited_ms"] = round(self._waited * 1000)
        if self._refused_by is not None:
            more["refused_by"] = self._refused_by.label
        return orjson.dumps(more).decode()


def _left(one: Standing) -> str:
    levels, shape = one.levels, one.plan.shape
    return shape.telling % tuple([levels[at].left for at in shape.told])


def _named(plan: Plan, refusal: Refusal) -> Limit:
    return next(
        limit
        for limit, take in zip(plan.limits, plan.takes, strict=True)
        if take.name == refusal.take.name
    )
