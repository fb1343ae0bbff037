"""What a run found, for reports that people read: all of it counted, the telling calls kept."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Literal

from plugin.contract.operation import Operation
from plugin.harness.grading import Refusal
from plugin.harness.judge import Verdict
from plugin.harness.replay import Outcome, Replayed
from plugin.harness.transcript import Reply, Unreadable

_KEPT_OF_A_KIND = 20
_KEPT = 400
"""Calls that a report shows in full; beyond that they are counted."""

About = Literal["replay", "judge", "mistakes"]
"""What a run was for. `mistakes` were made on purpose, to see whether the service refuses them."""

_REPLAY = {
    Outcome.SERVICE_BROKE_CONTRACT: "The service broke its contract",
    Outcome.CALL_WAS_WRONG: "The call was wrong",
    Outcome.REPAIRED: "Repaired, then passed",
    Outcome.NOT_SENT: "Not sent",
    Outcome.PASSED: "Passed",
}
_TITLES: dict[About, dict[Outcome, str]] = {
    "replay": _REPLAY,
    "judge": {
        **_REPLAY,
        Outcome.NOT_SENT: "Without a contract",
        Outcome.PASSED: "Fits the contract",
    },
    "mistakes": {
        **_REPLAY,
        Outcome.SERVICE_BROKE_CONTRACT: "The service failed",
        Outcome.CALL_WAS_WRONG: "Not refused as it should be",
        Outcome.REPAIRED: "Repaired before it was sent",
        Outcome.PASSED: "Refused well",
    },
}
_MET = {
    Refusal.FAILED: Outcome.SERVICE_BROKE_CONTRACT,
    Refusal.ACCEPTED: Outcome.CALL_WAS_WRONG,
    Refusal.REPAIRED: Outcome.REPAIRED,
    Refusal.NOT_SENT: Outcome.NOT_SENT,
    Refusal.NOT_EXPRESSIBLE: Outcome.NOT_SENT,
    Refusal.BY_HARNESS: Outcome.NOT_SENT,
}

NO_SUCH_TOOL = "(no such tool)"
"""Stands for every name that a model invented: there may be any number of them."""


@dataclass(frozen=True, slots=True)
class Promise:
    """What the contract says of one tool: its arguments, and where it lies, if that is known."""

    schema: Any
    place: str = ""


UNKNOWN = Promise(None)


@dataclass(frozen=True, slots=True)
class Kind:
    """Calls that went wrong alike: the same tool, the same outcome, the same checks or faults."""

    outcome: Outcome
    name: str
    why: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Kept:
    """A call to show, and what the contract says of its tool."""

    event: Replayed
    promise: Promise


@dataclass(slots=True)
class Findings:
    """Adds up events as they come. Memory stays flat however many there are."""

    about: About = "replay"
    by_operation: dict[str, Counter[Outcome]] = field(default_factory=lambda: defaultdict(Counter))
    kinds: Counter[Kind] = field(default_factory=Counter)
    kept: dict[Kind, list[Kept]] = field(default_factory=lambda: defaultdict(list))
    places: dict[str, str] = field(default_factory=dict)
    unreadable: list[Unreadable] = field(default_factory=list)
    unreadable_count: int = 0
    answered: int = 0
    declared_errors: int = 0
    _room: int = _KEPT

    def add(self, event: Replayed | Unreadable, promise: Promise = UNKNOWN) -> None:
        """Count one event, and keep it with its tool's promise if there are few like it."""
        if isinstance(event, Unreadable):
            self.unreadable_count += 1
            if len(self.unreadable) < _KEPT_OF_A_KIND:
                self.unreadable.append(event)
            return
        if event.grade is not None:
            self.about = "mistakes"
        name, outcome = event.operation or NO_SUCH_TOOL, _outcome(event)
        self.by_operation[name][outcome] += 1
        self.places[name] = promise.place
        self.answered += outcome is not Outcome.NOT_SENT and event.status is not None
        if outcome is Outcome.PASSED:
            self.declared_errors += (event.status or 0) >= HTTPStatus.BAD_REQUEST
        else:
            self._keep(Kind(outcome, name, _why(event)), event, promise)

    def _keep(self, kind: Kind, event: Replayed, promise: Promise) -> None:
        self.kinds[kind] += 1
        # The first of a kind always finds room: there are few kinds, and each has to be seen.
        kept = self.kept[kind]
        if not kept or (len(kept) < _KEPT_OF_A_KIND and self._room > 0):
            kept.append(Kept(event, promise))
            self._room -= 1

    @property
    def titles(self) -> dict[Outcome, str]:
        """What each outcome is called in such a run, whose fault it is coming first."""
        return _TITLES[self.about]

    @property
    def counts(self) -> Counter[Outcome]:
        """Calls by outcome."""
        return sum(self.by_operation.values(), Counter())

    def of(self, outcome: Outcome) -> Iterator[tuple[Kind, list[Kept]]]:
        """The kinds of one outcome with the calls kept of each, the most frequent first."""
        for kind, _ in self.kinds.most_common():
            if kind.outcome is outcome:
                yield kind, self.kept[kind]

    def verdict(self) -> str:
        """One sentence: whose fault it is."""
        counts = self.counts
        if self.about == "judge":
            return _judged(counts)
        if self.about == "mistakes":
            return _refused(counts)
        service, model = blame(counts, answered=bool(self.answered))
        return f"{service}; {model}." if model else f"{service}."


def blame(counts: Mapping[Outcome, int], *, answered: bool) -> tuple[str, str]:
    """What is to be said of the service, and of the model; the second is empty if it is good."""
    broken, wrong = counts[Outcome.SERVICE_BROKE_CONTRACT], counts[Outcome.CALL_WAS_WRONG]
    if broken:
        service = f"The service broke its contract in {_calls(broken)}"
    else:
        service = "The service kept its contract" if answered else "Nothing was sent"
    return service, f"{_calls(wrong)} {'was' if wrong == 1 else 'were'} wrong" if wrong else ""


def judged(reply: Reply, index: int, verdict: Verdict) -> Replayed:
    """A verdict without a service, as an event: a call without a contract was not judged."""
    outcome, reason = Outcome.PASSED, ""
    if verdict.faults:
        outcome = Outcome.CALL_WAS_WRONG
    elif not verdict.contract:
        outcome, reason = Outcome.NOT_SENT, "there is no contract to judge it by"
    call = verdict.call
    known = (
        None if any(fault.fault == "unknown_function" for fault in verdict.faults) else call.name
    )
    place = (reply.row, reply.index, index)
    more: dict[str, Any] = {"reason": reason, "arguments": call.arguments}
    return Replayed(*place, call.name, known, outcome, verdict.faults, **more)


def promise_of(operation: Operation | None) -> Promise:
    """What an operation of a contract promises, nothing if there is none."""
    if operation is None:
        return UNKNOWN
    return Promise(operation.schema, f"{operation.method} {operation.path}")


def _outcome(event: Replayed) -> Outcome:
    """An event's outcome; of a mistake that was made on purpose, how the service met it."""
    if event.grade is None:
        return event.outcome
    met = _MET.get(event.grade.refusal)
    return met or (Outcome.PASSED if event.grade.is_good else Outcome.CALL_WAS_WRONG)


def _why(event: Replayed) -> tuple[str, ...]:
    if event.grade is not None and event.mutation is not None:
        return event.mutation.mutation, event.grade.refusal
    if event.outcome is Outcome.NOT_SENT:
        return (event.reason.partition(":")[0],)
    checks = (check.check for check in event.checks if not check.ok)
    faults = (fault.fault.value for fault in event.faults)
    return tuple(dict.fromkeys((*checks, *faults)))


def _refused(counts: Counter[Outcome]) -> str:
    well = counts[Outcome.PASSED]
    sent = well + counts[Outcome.CALL_WAS_WRONG] + counts[Outcome.SERVICE_BROKE_CONTRACT]
    return f"{well:,} of {sent:,} mistakes were refused well." if sent else "No mistake was sent."


def _judged(counts: Counter[Outcome]) -> str:
    total, wrong = counts.total(), counts[Outcome.CALL_WAS_WRONG]
    if not total:
        return "There are no calls to judge."
    if wrong:
        return f"{wrong:,} of {_calls(total)} {'is' if wrong == 1 else 'are'} wrong."
    unjudged = counts[Outcome.NOT_SENT]
    if unjudged == total:
        return "There is no contract to judge these calls by."
    return f"No call is wrong, of {total - unjudged:,} that were judged."


def _calls(count: int) -> str:
    return f"{count:,} call{'' if count == 1 else 's'}"
