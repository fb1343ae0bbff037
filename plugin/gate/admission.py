"""One call let through: what it took of its limits, what it may cost, and its end, told once."""

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import NamedTuple, Protocol

import orjson

from plugin.errors import LimitReached
from plugin.gate.book import Book
from plugin.gate.counters.protocol import NOTHING_TAKEN, Level, Refusal, Taken
from plugin.gate.limits import Limit, Plan, Shape
from plugin.gate.prices import Bound, Prices
from plugin.gate.queue import Queue
from plugin.gate.refusals import Standing
from plugin.ledger.entries import Call, Outcome

_MICROSECONDS = 1_000_000
_FAILED = 400

WHOLE = "whole"
"""How a call ended that ended well."""

REPLAYED = "replayed"
"""The same for one that got the stored answer of an equal one: it costs nothing."""


class Ending(NamedTuple):
    """How a call ended: `status` None where nobody was answered, tokens by the engine's count."""

    status: int | None
    ended: str = WHOLE
    tokens_in: int = 0
    tokens_out: int = 0
    model: str | None = None
    answered_by: str | None = None


class Limiter(Protocol):
    """What an admission needs of the gate that made it; see `Gate`."""

    prices: Prices
    book: Book | None
    queue: Queue | None

    def at_model(self, call: Call, model: str) -> Plan:
        """Return what a call takes at its model."""

    def take(self, plan: Plan) -> Taken | Refusal:
        """Take everything that a plan says, or nothing."""

    def wait(self, key: str, plan: Plan, refusal: Refusal) -> Awaitable[Taken]:
        """Return what to await in the queue; raises `LimitReached` where there is no queue."""

    def settle(self, taken: Taken, actual: Sequence[int]) -> None:
        """End what a call took."""


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
        self, gate: Limiter, call: Call, plan: Plan, taken: Taken, waited: float = 0.0
    ) -> None:
        self._gate = gate
        self._plan = plan
        self._taken = taken
        self._at_model: Plan | None = None
        self._of_model = NOTHING_TAKEN
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
            self._refused_by = plan.named(refusal.take)
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
        self._gate.settle(taken, actual)

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
        simple = self._at_model is None and not (way or self._waited or self._refused_by)
        if simple:
            return _left(self._plan.shape, self._taken.levels)
        more: dict[str, object] = {}
        left = {
            one.plan.shape.labels[at]: one.levels[at].left
            for one in self.standing
            for at in one.plan.shape.told
        }
        if left:
            more["left"] = left
        if way:
            more["way"] = way
        if self._waited:
            more["waited_ms"] = round(self._waited * 1000)
        if self._refused_by is not None:
            more["refused_by"] = self._refused_by.label
        return orjson.dumps(more).decode() if more else None


def _left(shape: Shape, levels: Sequence[Level]) -> str | None:
    """The same for a call that met limits once and of which there is nothing else to tell."""
    return shape.telling % tuple([levels[at].left for at in shape.told]) if shape.told else None
