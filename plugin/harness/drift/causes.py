"""Names the change of a contract that makes a call wrong.

The judge says what is wrong with a call under the new contract, the comparison of both contracts
says what changed; the cause of a fault is the change that lies nearest to it and is of its kind.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from plugin.contract.operation import Contract, Operation
from plugin.contract.pointer import steps
from plugin.contract.schema.changes import SchemaChange, Side, compare
from plugin.harness.drift.renames import moved, renamed
from plugin.harness.faults import Fault, FaultKind, shown
from plugin.harness.judge import Verdict

_KINDS: Mapping[FaultKind, tuple[str, ...]] = {
    FaultKind.MISSING_REQUIRED: ("required",),
    FaultKind.UNKNOWN_KEY: ("properties", "additionalProperties"),
    FaultKind.NEAR_MISS_KEY: ("properties", "additionalProperties"),
    FaultKind.ENUM_CASE: ("enum",),
    FaultKind.ENUM_INVENTED: ("enum",),
    **dict.fromkeys(
        (
            *(FaultKind.WRONG_TYPE, FaultKind.STRING_FOR_ARRAY, FaultKind.NULL_FOR_OPTIONAL),
            *(FaultKind.BOOL_AS_STRING, FaultKind.NUMBER_AS_STRING, FaultKind.WORD_FOR_NUMBER),
        ),
        ("type", "anyOf"),
    ),
}
"""The keywords whose change shows as a fault of that kind; a `constraint` is about any other."""

_NOT_JUDGED = frozenset(
    {"title", "description", "examples", "deprecated", "default"}
    | {"format", "contentEncoding", "contentMediaType"}
)
"""Keywords by which no call is judged, so that no change of them can break one."""

_LONGEST = 160
"""Characters of a change in words; whole schemas may have changed."""

_SHOWN = 6
"""Values of an enum that are named."""


@dataclass(frozen=True, slots=True)
class Cause:
    """A change in words, the places in the arguments where it shows, and its keyword.

    A cause without a keyword explains any fault at its places.
    """

    words: str
    places: tuple[tuple[str, ...], ...]
    keyword: str | None = None

    def nearness(self, fault: Fault, at: Sequence[str]) -> tuple[int, bool, bool] | None:
        """How well it explains a fault at a place, more is better; None when it does not."""
        depths = [len(place) for place in self.places if _covers(place, at)]
        if not depths:
            return None
        kinds = _KINDS.get(fault.fault)
        fits = self.keyword not in _OF_A_KIND if kinds is None else self.keyword in kinds
        return max(depths), self.keyword is None, fits


_OF_A_KIND = frozenset(keyword for kinds in _KINDS.values() for keyword in kinds)


class Causes:
    """What changed between two versions of one operation, and which change makes a fault."""

    def __init__(self, before: Operation, after: Operation) -> None:
        changes = [
            change
            for change in compare(before.schema, after.schema, Side.CALLER)
            if change.keyword not in _NOT_JUDGED
        ]
        whole = [*moved(before, after), *renamed(changes)]
        self._causes = [
            *(Cause(words, tuple(map(_places, pointers))) for words, pointers in whole),
            *_narrowings(changes),
        ]

    def of(self, verdict: Verdict) -> tuple[str, ...]:
        """The causes of a call's faults, in their order, each once."""
        return tuple(dict.fromkeys(map(self._of_one, verdict.faults)))

    def _of_one(self, fault: Fault) -> str:
        at = steps(fault.pointer)
        found = [
            (nearness, -index)
            for index, cause in enumerate(self._causes)
            if (nearness := cause.nearness(fault, at)) is not None
        ]
        if found:
            return self._causes[-max(found)[1]].words
        return self._further_in(fault, at) or _unfound(fault, at)

    def _further_in(self, fault: Fault, at: Sequence[str]) -> str | None:
        """A change of a recursive schema is told once, and shows at every level."""
        kinds = _KINDS.get(fault.fault, ())
        for cause in self._causes:
            if cause.keyword in kinds and any(
                list(place[-1:]) == list(at[-1:]) for place in cause.places
            ):
                return cause.words
        return None


def removal(before: Operation, new: Contract, fresh: Mapping[str, Operation]) -> str:
    """Why a name is gone from a contract; `fresh` are the names that are new in it."""
    for name, operation in fresh.items():
        if (operation.method, operation.path) == (before.method, before.path):
            return f"the operation was renamed to `{name}`"
    for note in new.skipped:
        needed_by = note.reason.endswith(f"(needed by {before.method} {before.path})")
        if needed_by or f"{note.pointer}/".startswith(f"{before.pointer}/"):
            return f"the operation cannot be called any more: {_short(note.reason)}"
    for name, operation in fresh.items():
        if _says_the_same(operation, before):
            return f"the operation was renamed to `{name}`"
    return "the operation was removed"


def _says_the_same(one: Operation, other: Operation) -> bool:
    """Whether two operations at different places are one that moved."""
    words = one.summary or one.description
    same = (one.summary, one.description) == (other.summary, other.description)
    return bool(words) and same and one.schema == other.schema


def _narrowings(changes: Iterable[SchemaChange]) -> Iterator[Cause]:
    for change in changes:
        if change.breaking:
            place = _places(change.pointer)
            yield Cause(_words(change, place), (place,), change.keyword)


def _words(change: SchemaChange, place: Sequence[str]) -> str:
    name = argument(place)
    if change.keyword == "required":
        return f"{name} became required"
    if change.keyword == "properties":
        return f"{name} was removed"
    if change.keyword == "enum":
        return _narrowed(change, name)
    if change.keyword == "additionalProperties":
        return _closed(place)
    return _short(f"{name}: {change.what}")


def _narrowed(change: SchemaChange, name: str) -> str:
    if change.was is None:
        return f"{name} allows only {_listed(change.now)}"
    return f"{name} no longer allows {_listed([v for v in change.was if v not in change.now])}"


def _closed(place: Sequence[str]) -> str:
    return f"{argument(place)} takes no other keys than those listed" if place else _NO_OTHERS


_NO_OTHERS = "no other arguments than those listed are taken"


def _listed(values: Sequence[object]) -> str:
    more = f" and {len(values) - _SHOWN} more" if len(values) > _SHOWN else ""
    return f"{', '.join(shown(value) for value in values[:_SHOWN])}{more}"


def _unfound(fault: Fault, at: Sequence[str]) -> str:
    """What can be said of a fault when no single change was found: the schemas differ there.

    Names only what cannot be a call's own invention: causes are counted, so they have to be few.
    """
    if fault.fault is FaultKind.MISSING_REQUIRED:
        return f"{argument(at[-1:])} became required"
    if fault.fault in (FaultKind.UNKNOWN_KEY, FaultKind.NEAR_MISS_KEY):
        return _closed(at[:1] if len(at) > 1 else ())
    return f"{argument(at[:1])}: what it accepts changed"


def argument(place: Sequence[str]) -> str:
    """A place in the arguments as people write it: `flights[].date`."""
    if not place:
        return "the arguments"
    first, *deeper = place
    rest = ("[]" if step.isdecimal() else f".{step}" for step in deeper)
    return f"`{first}{''.join(rest)}`"


def _places(pointer: str) -> tuple[str, ...]:
    return tuple(steps(pointer))


def _covers(place: Sequence[str], at: Sequence[str]) -> bool:
    """Whether a place of a schema, where `0` is every item and `*` every other key, holds `at`."""
    if len(place) > len(at):
        return False
    return all(
        step in (actual, "*") or (step == "0" and actual.isdecimal())
        for step, actual in zip(place, at, strict=False)
    )


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
