"""Declared repairs of wrong calls: off, lossless, or lenient; all of them told, none by default.

Lossless repairs undo what can be undone without guessing: a number or a boolean written as text, a
key or an enum's value in other letters, JSON in a text, the arguments wrapped once more, a Markdown
fence, a trailing token. Lenient ones guess, too: one item becomes a list, nulls for optional
arguments and unknown keys are dropped. A call is repaired whole or not at all.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from plugin.contract.pointer import steps
from plugin.harness.edits import put, renamed, value_at, without
from plugin.harness.faults import Fault, FaultKind, shown
from plugin.harness.json_text import NotJson, loads
from plugin.harness.judge import Judge, Verdict
from plugin.messages import Call

_MOST = 100
"""Repairs of one call; one that needs more was not meant as this call."""

_WRAPPER = "arguments"
_FENCE = "```"
_TOKEN = re.compile(r"<\|[A-Za-z_]{1,40}\|>$")
_BEYOND_REPAIR = frozenset({FaultKind.UNKNOWN_FUNCTION, FaultKind.DUPLICATE_PARALLEL})


class Mode(StrEnum):
    """How much is repaired."""

    OFF = "off"
    LOSSLESS = "lossless"
    LENIENT = "lenient"


@dataclass(frozen=True, slots=True)
class Repaired:
    """The arguments as they fit, and what was done to them: a line each, with its pointer."""

    arguments: dict[str, Any]
    repairs: tuple[str, ...]


Step = tuple[Any, str]
"""The arguments after one repair, and what was done."""


class Repairs:
    """Repairs calls that the judge found wrong; good ones are never touched."""

    def __init__(self, judge: Judge, mode: Mode) -> None:
        self._judge = judge
        self._mode = mode

    def repair(self, verdict: Verdict, *, strict: frozenset[str] = frozenset()) -> Repaired | None:
        """The call as it fits its tool, or None where repairs of this mode do not get it there.

        `strict` names the tools shown in strict form, as for the judge.
        """
        kinds = {fault.fault for fault in verdict.faults}
        if self._mode is Mode.OFF or not kinds or kinds & _BEYOND_REPAIR:
            return None
        now, done = verdict, list[str]()
        if FaultKind.NOT_JSON in kinds:
            text, done = _bare(verdict.call.arguments)
            now = self._judged(now, text, strict)
        while now.faults:
            step = self._next(now, strict)
            if step is None or len(done) == _MOST:
                return None
            now = self._judged(now, step[0], strict)
            done.append(step[1])
        return Repaired(now.arguments, tuple(done))

    def _judged(self, verdict: Verdict, arguments: Any, strict: frozenset[str]) -> Verdict:
        call = Call(verdict.call.id, verdict.call.name, arguments)
        return self._judge.judge([call], strict=strict)[0]

    def _next(self, now: Verdict, strict: frozenset[str]) -> Step | None:
        """The first repair that takes a fault away and brings none but inside what it changed."""
        inner = _unwrapped(now)
        if inner is not None:
            left = self._judged(now, inner, strict).faults
            if _is_no_key(_WRAPPER, now) or len(left) < len(now.faults):
                return inner, f"`/{_WRAPPER}`: what it holds was taken for the arguments"
        for fault in now.faults:
            for step in _candidates(fault, now.arguments, self._mode):
                after = set(self._judged(now, step[0], strict).faults)
                new = after.difference(now.faults)
                if fault not in after and all(_is_inside(one, fault) for one in new):
                    return step
        return None


def _is_inside(fault: Fault, repaired: Fault) -> bool:
    return fault.pointer.startswith(f"{repaired.pointer}/")


def _bare(text: str) -> tuple[str, list[str]]:
    """Arguments without a fence around them and tokens after them, and what was taken off."""
    done = []
    bare = text.strip()
    while True:
        if token := _TOKEN.search(bare):
            bare = bare[: token.start()].rstrip()
            done.append(f"the arguments: `{token[0]}` at their end was taken off")
        elif bare.startswith(_FENCE) and bare.endswith(_FENCE) and "\n" in bare:
            bare = bare.partition("\n")[2].removesuffix(_FENCE).rstrip()
            done.append("the arguments: the Markdown fence around them was taken off")
        else:
            return bare, done


def _unwrapped(now: Verdict) -> Any:
    """What the one key `arguments` holds, None where there is no such wrapping."""
    if not (isinstance(now.arguments, dict) and now.arguments.keys() == {_WRAPPER}):
        return None
    inner = now.arguments[_WRAPPER]
    return inner if isinstance(inner, dict) else _json(inner, dict)


def _is_no_key(key: str, now: Verdict) -> bool:
    unknown = (one.pointer for one in now.faults if one.fault is FaultKind.UNKNOWN_KEY)
    return f"/{key}" in unknown


def _candidates(fault: Fault, arguments: Any, mode: Mode) -> Iterator[Step]:
    """Repairs that could take a fault away, those without guessing first."""
    path = steps(fault.pointer)
    place = f"`{fault.pointer}`" if path else "the arguments"
    if fault.fault is FaultKind.NEAR_MISS_KEY:
        if fault.meant is not None and fault.meant not in value_at(arguments, path[:-1]):
            yield renamed(arguments, path, fault.meant), f"{place}: read as `{fault.meant}`"
    elif fault.fault in _DROPPED:
        if mode is Mode.LENIENT:
            yield without(arguments, path), f"{place}: {_DROPPED[fault.fault]}"
    elif fault.fault in _READ_AS:
        value = value_at(arguments, path)
        lists = (_one_item,) if mode is Mode.LENIENT else ()
        for read in (*_READ_AS[fault.fault], *lists):
            meant = read(fault, value)
            if meant is not None:
                yield put(arguments, path, meant), f"{place}: {shown(value)} read as {shown(meant)}"


def _json(value: Any, kind: type | tuple[type, ...]) -> Any:
    """The value of a JSON text, None for whatever is no text of that kind."""
    if not isinstance(value, str):
        return None
    try:
        found = loads(value)
    except NotJson:
        return None
    return found if isinstance(found, kind) else None


def _number(_: Fault, value: Any) -> Any:
    found = _json(value, (int, float))
    # " 5 " and "1,000" may be what they look like; only JSON's own writing is sure to be.
    return None if isinstance(found, bool) or value != str(value).strip() else found


def _boolean(_: Fault, value: Any) -> Any:
    return {"true": True, "false": False}.get(str(value).casefold())


def _list(_: Fault, value: Any) -> Any:
    return _json(value, list)


def _object(_: Fault, value: Any) -> Any:
    return _json(value, dict)


def _meant(fault: Fault, _: Any) -> Any:
    return fault.meant


def _one_item(fault: Fault, value: Any) -> Any:
    """A list of the one value; only where a list was asked for does that take the fault away."""
    is_text = isinstance(value, str)
    unclear = value is None or isinstance(value, list) or (is_text and not _is_plain(value))
    return None if unclear or fault.fault not in _MAY_BE_ITEM else [value]


def _is_plain(text: str) -> bool:
    """Text that is neither nothing nor a broken list."""
    return bool(text.strip()) and not text.lstrip().startswith(("[", "{"))


_MAY_BE_ITEM = frozenset({FaultKind.STRING_FOR_ARRAY, FaultKind.WRONG_TYPE})
_READ_AS: Mapping[FaultKind, tuple[Callable[[Fault, Any], Any], ...]] = MappingProxyType(
    {
        FaultKind.NUMBER_AS_STRING: (_number,),
        FaultKind.BOOL_AS_STRING: (_boolean,),
        FaultKind.STRING_FOR_ARRAY: (_list,),
        FaultKind.WRONG_TYPE: (_object,),
        FaultKind.ENUM_CASE: (_meant,),
    }
)
_DROPPED = MappingProxyType(
    {
        FaultKind.NULL_FOR_OPTIONAL: "null for an optional argument was dropped",
        FaultKind.UNKNOWN_KEY: "the unknown key was dropped",
    }
)
