"""Which recorded calls break under a new contract, and what in the contract breaks them."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from plugin.contract.names import names
from plugin.contract.operation import Contract, Operation
from plugin.harness.drift.causes import Causes, removal
from plugin.harness.faults import Fault
from plugin.harness.judge import Judge, Verdict, strict_names
from plugin.harness.transcript import Reply, Unreadable


class Fate(StrEnum):
    """What a new contract means to a recorded call."""

    FITS = "fits"
    BREAKS = "breaks"
    WAS_WRONG = "was_wrong"
    """It did not fit the old contract either."""

    NOT_OFFERED = "not_offered"
    """The old contract has no operation of that name."""


@dataclass(frozen=True, slots=True)
class Drifted:
    """What becomes of one call; `faults` are those under the new contract, where it breaks.

    `causes` are the changes of the contract that make them, in words, each named once.
    """

    row: int
    reply: int
    call: int
    operation: str
    fate: Fate
    faults: tuple[Fault, ...] = ()
    causes: tuple[str, ...] = ()


class Drift:
    """Judges calls by two contracts: what fits the old one and not the new one breaks."""

    def __init__(self, old: Contract, new: Contract) -> None:
        before, after = names(old), names(new)
        fresh = {name: after[name] for name in after if name not in before}
        self._tools = {
            name: _Tool(operation, after.get(name), _Successors(new, fresh))
            for name, operation in before.items()
        }
        self._old, self._new = _judge(before), _judge(after)

    def run(self, replies: Iterable[Reply | Unreadable]) -> Iterator[Drifted | Unreadable]:
        """What becomes of each call, in order; rows that cannot be read are passed on."""
        for reply in replies:
            if isinstance(reply, Unreadable):
                yield reply
                continue
            strict = strict_names(reply.tools)
            for index, before in enumerate(self._old.judge(reply.calls, strict=strict)):
                name = before.call.name
                fate, after = self._fate(before, strict)
                found = (after.faults, self._tools[name].causes(after)) if after else ()
                yield Drifted(reply.row, reply.index, index, name, fate, *found)

    def _fate(self, before: Verdict, strict: frozenset[str]) -> tuple[Fate, Verdict | None]:
        """What becomes of a call, and the new verdict if it breaks."""
        tool = self._tools.get(before.call.name)
        if tool is None:
            return Fate.NOT_OFFERED, None
        if before.faults:
            return Fate.WAS_WRONG, None
        if tool.accepts_the_same:
            return Fate.FITS, None
        (after,) = self._new.judge([before.call], strict=strict)
        return (Fate.BREAKS, after) if after.faults else (Fate.FITS, None)


@dataclass(frozen=True, slots=True)
class _Successors:
    """The new contract, and those of its operations whose names are new."""

    contract: Contract
    fresh: Mapping[str, Operation]


class _Tool:
    """One tool of the old contract, and what became of it; worked out when it is first asked."""

    def __init__(self, before: Operation, after: Operation | None, successors: _Successors) -> None:
        self._before = before
        self._after = after
        self._successors = successors
        self._known: Causes | None = None

    @cached_property
    def accepts_the_same(self) -> bool:
        return self._after is not None and self._after.schema == self._before.schema

    def causes(self, verdict: Verdict) -> tuple[str, ...]:
        """What in the contract makes the faults of a call."""
        return (self._removal,) if self._after is None else self._changes(self._after).of(verdict)

    @cached_property
    def _removal(self) -> str:
        return removal(self._before, self._successors.contract, self._successors.fresh)

    def _changes(self, after: Operation) -> Causes:
        if self._known is None:
            self._known = Causes(self._before, after)
        return self._known


def _judge(offered: Mapping[str, Operation]) -> Judge:
    return Judge({name: operation.schema for name, operation in offered.items()})
