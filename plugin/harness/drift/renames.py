"""What is the same argument under another name: one change, though it shows at two places."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from typing import Any

from plugin.contract.operation import Operation
from plugin.contract.pointer import child, steps
from plugin.contract.schema.changes import SchemaChange
from plugin.harness.faults import alike

_ALIKE = 0.6
"""How much two names must share, as difflib counts it, where other evidence is thin."""

Renaming = tuple[str, tuple[str, ...]]
"""What happened in words, and the pointers where it shows."""


def moved(before: Operation, after: Operation) -> Iterator[Renaming]:
    """Arguments that got other names because parameters or the body are laid out differently."""
    new = {one.name: one for one in after.parameters}
    for old in before.parameters:
        now = new.get(old.name)
        if now is not None and now.argument != old.argument:
            words = f"the {now.location} parameter `{now.name}` is the argument `{now.argument}`"
            yield words, (child("", old.argument), child("", now.argument))
    yield from _body(before, after)


def _body(before: Operation, after: Operation) -> Iterator[Renaming]:
    if before.body is None or after.body is None or before.body.flat == after.body.flat:
        return
    flat, whole = (before, after.body) if before.body.flat else (after, before.body)
    pointers = tuple(child("", name) for name in (*_of_body(flat), whole.argument))
    if flat is before:
        yield f"the body became one argument, `{whole.argument}`", pointers
    else:
        yield "the properties of the body became arguments of their own", pointers


def _of_body(operation: Operation) -> list[str]:
    parameters = {one.argument for one in operation.parameters}
    return [name for name in operation.schema["properties"] if name not in parameters]


def renamed(changes: Sequence[SchemaChange]) -> Iterator[Renaming]:
    """Properties that left an object together with one that came and is alike."""
    gone, came = (_by_object(changes, left=left) for left in (True, False))
    for place, leavers in gone.items():
        comers = list(came.get(place, ()))
        for old in leavers:
            only = len(leavers) == len(came.get(place, ())) == 1
            new = _successor(old, comers, only=only)
            if new is not None:
                comers.remove(new)
                yield _words(old, new), (old.pointer, new.pointer)


def _by_object(changes: Sequence[SchemaChange], *, left: bool) -> dict[str, list[SchemaChange]]:
    found: dict[str, list[SchemaChange]] = defaultdict(list)
    for one in changes:
        if one.keyword == "properties" and (one.now is None) is left:
            found[one.pointer.rpartition("/")[0]].append(one)
    return found


def _successor(
    old: SchemaChange, comers: Sequence[SchemaChange], *, only: bool
) -> SchemaChange | None:
    """The new property that is most likely the old one, if any is likely at all."""
    best = max(comers, key=lambda new: _likeness(old, new), default=None)
    if best is None:
        return None
    same = best.now == old.was
    described = isinstance(old.was, dict) and bool(old.was.get("description"))
    near = alike(_name(old), _name(best)) or _likeness(old, best)[1] >= _ALIKE
    if same:
        return best if described or only or near else None
    return best if near and _type(best.now) == _type(old.was) else None


def _likeness(old: SchemaChange, new: SchemaChange) -> tuple[bool, float]:
    ratio = SequenceMatcher(None, _name(old).lower(), _name(new).lower()).ratio()
    return new.now == old.was, ratio


def _words(old: SchemaChange, new: SchemaChange) -> str:
    return f"`{_name(old)}` was renamed to `{_name(new)}`"


def _name(change: SchemaChange) -> str:
    return steps(change.pointer)[-1]


def _type(schema: Any) -> Any:
    return schema.get("type") if isinstance(schema, dict) else None
