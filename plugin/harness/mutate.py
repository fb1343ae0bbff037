"""Good calls into the mistakes that models really make: seeded, by measured rates, labelled.

A mistake is made only where it is one: the arguments must no longer fit their schema. Which of them
can be made depends on the call; among those, the measured rates decide.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from random import Random
from types import MappingProxyType
from typing import Any
from weakref import WeakKeyDictionary

from plugin.contract.pointer import child
from plugin.harness.faults import FaultKind
from plugin.harness.json_text import dumps
from plugin.harness.judge import Judge, Tool, Verdict, strict_names
from plugin.harness.mistakes import MISTAKES, Good, Slip, Undo
from plugin.harness.mistakes.rates import PER_10_000_CALLS
from plugin.harness.sites import Schemas, Sites
from plugin.harness.transcript import Reply
from plugin.messages import Call

_TRIES = 8
"""How often another draw is made when one gives what an earlier one gave."""


@dataclass(frozen=True, slots=True)
class Mutation:
    """What was done to a call: the mistake and its variety, and the fault to find at a pointer.

    `undo` names the repairs that give the call back as it was. `schemas` speak of the place, and
    `meant` is what was right there (MISSING where nothing stood): for grading what a service says.
    """

    mutation: str
    variety: str
    pointer: str
    expect: FaultKind
    undo: Undo
    schemas: Schemas
    meant: Any


@dataclass(frozen=True, slots=True)
class Mutated:
    """A call with one mistake in it; the last of `calls` is the one at fault.

    `row`, `reply` and `call` are the place of the good call in its transcript.
    """

    row: int
    reply: int
    call: int
    calls: tuple[Call, ...]
    mutation: Mutation


class Mutator:
    """Makes mistakes in calls. The same seed and transcript give the same ones, in any order.

    `count` is how many to make in each call; fewer where a call has no more. `every` makes each
    mistake that is possible, once, instead of drawing.
    """

    def __init__(
        self,
        seed: int,
        count: int = 1,
        *,
        every: bool = False,
        rates: Mapping[str, float] = PER_10_000_CALLS,
    ) -> None:
        self._seed = abs(seed)
        self._count = count
        self._every = every
        self._rates = MappingProxyType(dict(rates))
        self._sites: WeakKeyDictionary[Tool, Sites] = WeakKeyDictionary()

    def mutations(
        self, reply: Reply, verdicts: Sequence[Verdict], judge: Judge, *, all_known: bool = True
    ) -> Iterator[Mutated]:
        """Mistakes in the good calls of a reply; the others are left alone.

        `all_known` says that the judge knows every name; else no function is known to be unknown.
        """
        strict = strict_names(reply.tools)
        for index, verdict in enumerate(verdicts):
            if is_good(verdict):
                tool = judge.tools[verdict.call.name]
                names = judge.tools if all_known else None
                good = self._good(verdict, tool, names, is_strict=verdict.call.name in strict)
                random = Random(self._place(reply, index))  # noqa: S311 - mistakes, not secrets
                for name, slip in self._slips(good, tool, random):
                    yield _mutated(reply, index, good, name, slip)

    def _good(
        self, verdict: Verdict, tool: Tool, names: Mapping[str, Any] | None, *, is_strict: bool
    ) -> Good:
        sites = self._sites.get(tool)
        if sites is None:
            sites = self._sites[tool] = Sites(tool.schema)
        found = sites.of(verdict.arguments)
        return Good(verdict.call, verdict.arguments, found, names, is_strict)

    def _place(self, reply: Reply, index: int) -> int:
        return self._seed << 96 | reply.row << 48 | reply.index << 24 | index

    def _slips(self, good: Good, tool: Tool, random: Random) -> Iterator[tuple[str, Slip]]:
        if self._every:
            for name, mistake in MISTAKES.items():
                slip = mistake(good, random)
                if slip is not None and _is_one(slip, tool):
                    yield name, slip
            return
        seen: set[tuple[str, bytes]] = set()
        for _ in range(self._count * _TRIES if self._count > 1 else 1):
            drawn = self._draw(good, tool, random)
            if drawn is None:
                return
            key = (drawn[1].name + drawn[1].variety, dumps(drawn[1].arguments))
            if key not in seen:
                seen.add(key)
                yield drawn
            if len(seen) == self._count:
                return

    def _draw(self, good: Good, tool: Tool, random: Random) -> tuple[str, Slip] | None:
        left = dict(self._rates)
        while left:
            name = _drawn(left, random)
            slip = MISTAKES[name](good, random)
            if slip is not None and _is_one(slip, tool):
                return name, slip
            del left[name]
        return None


def is_good(verdict: Verdict) -> bool:
    """Whether a call can be mutated: it has a contract and keeps it."""
    return verdict.contract and not verdict.faults


def _drawn(rates: Mapping[str, float], random: Random) -> str:
    mark = random.random() * sum(rates.values())
    for name, rate in rates.items():
        mark -= rate
        if mark < 0:
            return name
    return [*rates][-1]


def _is_one(slip: Slip, tool: Tool) -> bool:
    """Whether it is a mistake here: a branch or an open schema may take what was meant as one."""
    if slip.name or slip.times > 1 or isinstance(slip.arguments, str):
        return True
    return not tool.schema.validator.is_valid(slip.arguments)


def _mutated(reply: Reply, index: int, good: Good, name: str, slip: Slip) -> Mutated:
    mutation = Mutation(
        mutation=name,
        variety=slip.variety,
        pointer=reduce(child, slip.path, ""),
        expect=slip.expect,
        undo=slip.undo,
        schemas=slip.schemas,
        meant=slip.meant,
    )
    return Mutated(reply.row, reply.index, index, _calls(good.call, slip), mutation)


def _calls(call: Call, slip: Slip) -> tuple[Call, ...]:
    """The call as it is now, on the wire as it was: text where the arguments were text."""
    if slip.times > 1:
        again = None if call.id is None else f"{call.id}_again"
        return call, Call(again, call.name, call.arguments)
    arguments = slip.arguments
    if isinstance(call.arguments, str) and not isinstance(arguments, str):
        arguments = dumps(arguments).decode()
    return (Call(call.id, slip.name or call.name, arguments),)
