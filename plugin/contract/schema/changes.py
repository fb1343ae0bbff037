"""What changed between two schemas of one value, and whether that breaks who already uses it.

A schema of arguments breaks callers when it accepts less than before; a schema of an answer breaks
them when it promises less. So each change is found once, as narrowing or widening, and the side on
which the schema stands decides.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from plugin.contract.operation import Schema
from plugin.contract.pointer import child
from plugin.contract.schema.validation import resolve

_LOWER = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties", "minContains")
_UPPER = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties", "maxContains")
_RULES = (
    "pattern",
    "format",
    "multipleOf",
    "uniqueItems",
    "contentEncoding",
    "contentMediaType",
    "not",
    "if",
    "then",
    "else",
    "contains",
    "propertyNames",
    "dependentRequired",
    "dependentSchemas",
    "prefixItems",
    "patternProperties",
    "unevaluatedProperties",
    "unevaluatedItems",
)
_BRANCHES = ("allOf", "anyOf", "oneOf")
_WORDS = ("title", "description", "examples", "deprecated")
_TYPES = frozenset({"null", "boolean", "integer", "number", "string", "array", "object"})


class Side(Enum):
    """Who writes the value: the caller (arguments) or the service (answers)."""

    CALLER = "caller"
    SERVICE = "service"


@dataclass(frozen=True, slots=True)
class SchemaChange:
    """One difference. `pointer` leads into the value, not into the schema.

    In it `0` stands for every item, and `*` for every key that is not listed. `keyword` is what
    changed there, from `was` to `now`; for `properties` these are the schemas of the one property,
    for a keyword that was or is not set they are None.
    """

    pointer: str
    what: str
    breaking: bool
    keyword: str
    was: Any = None
    now: Any = None


@dataclass(frozen=True, slots=True)
class _Difference:
    """A keyword with its two values."""

    keyword: str
    was: Any = None
    now: Any = None


Keywords = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Walk:
    """The two roots, for their `$defs`, and the side; `inside` holds the references followed."""

    before: Mapping[str, Any]
    after: Mapping[str, Any]
    side: Side
    inside: frozenset[tuple[Any, Any]] = frozenset()

    def narrower(self, pointer: str, what: str, how: _Difference) -> SchemaChange:
        return _change(pointer, what, how, breaking=self.side is Side.CALLER)

    def wider(self, pointer: str, what: str, how: _Difference) -> SchemaChange:
        return _change(pointer, what, how, breaking=self.side is Side.SERVICE)


def _change(pointer: str, what: str, how: _Difference, *, breaking: bool) -> SchemaChange:
    return SchemaChange(pointer, what, breaking, how.keyword, how.was, how.now)


def compare(before: Schema, after: Schema, side: Side) -> Iterator[SchemaChange]:
    """The differences between two self-contained schemas."""
    old, new = (root if isinstance(root, dict) else {} for root in (before, after))
    yield from _schemas(_Walk(old, new, side), before, after, "")


def _schemas(walk: _Walk, before: Schema, after: Schema, pointer: str) -> Iterator[SchemaChange]:
    if before == after and walk.before.get("$defs") == walk.after.get("$defs"):
        return
    pair = (_reference(before), _reference(after))
    if pair in walk.inside:
        return  # a recursive schema: told already
    if any(pair):
        walk = replace(walk, inside=walk.inside | {pair})
    old, new = _plain(before, walk.before), _plain(after, walk.after)
    yield from _words(walk, old, new, pointer)
    was, now = _alternatives(old), _alternatives(new)
    if was is not None or now is not None:
        yield from _unions(walk, was or [_silent(old)], now or [_silent(new)], pointer)
        return
    for rule in (_types, _values, _bounds, _rules, _branches, _required, _properties, _items):
        yield from rule(walk, old, new, pointer)


def _reference(schema: Schema) -> Any:
    return schema.get("$ref") if isinstance(schema, dict) else None


def _plain(schema: Schema, root: Mapping[str, Any]) -> dict[str, Any]:
    resolved = resolve(schema, root)
    if isinstance(resolved, bool):
        return {} if resolved else {"not": {}}
    return dict(resolved)


def _types(walk: _Walk, old: Keywords, new: Keywords, pointer: str) -> Iterator[SchemaChange]:
    was, now = _type_set(old), _type_set(new)
    if was == now:
        return
    what = f"the type was {_listed(was)}, now {_listed(now)}"
    how = _Difference("type", old.get("type"), new.get("type"))
    if was - now:
        yield walk.narrower(pointer, what, how)
    if now - was:
        yield walk.wider(pointer, what, how)


def _type_set(schema: Keywords) -> frozenset[str]:
    given = schema.get("type")
    if given is None:
        return _TYPES
    named = frozenset([given] if isinstance(given, str) else given)
    return named | {"integer"} if "number" in named else named


def _listed(types: frozenset[str]) -> str:
    if types == _TYPES:
        return "anything"
    return " or ".join(sorted(types - {"integer"} if "number" in types else types))


def _values(walk: _Walk, old: Keywords, new: Keywords, pointer: str) -> Iterator[SchemaChange]:
    was, now = _choices(old), _choices(new)
    if was == now:
        return
    how = _Difference("enum", was, now)
    if was is None or now is None:
        if was is None:
            yield walk.narrower(pointer, f"only {_shown(now)} may stand here now", how)
        else:
            yield walk.wider(pointer, f"other values than {_shown(was)} may stand here now", how)
        return
    gone = [value for value in was if value not in now]
    came = [value for value in now if value not in was]
    if gone:
        yield walk.narrower(pointer, f"{_shown(gone)} may not stand here any more", how)
    if came:
        yield walk.wider(pointer, f"{_shown(came)} may stand here now", how)


def _choices(schema: Keywords) -> Sequence[Any] | None:
    if "const" in schema:
        return [schema["const"]]
    found: Sequence[Any] | None = schema.get("enum")
    return found


def _shown(values: Sequence[Any] | None) -> str:
    return ", ".join(repr(value) for value in values or ())


def _bounds(walk: _Walk, old: Keywords, new: Keywords, pointer: str) -> Iterator[SchemaChange]:
    for keywords, tighter in ((_LOWER, _greater), (_UPPER, _less)):
        for keyword in keywords:
            was, now = old.get(keyword), new.get(keyword)
            if was == now:
                continue
            kind = walk.narrower if tighter(now, was) else walk.wider
            what = f"{keyword} was {_or_none(was)}, now {_or_none(now)}"
            yield kind(pointer, what, _Difference(keyword, was, now))


def _greater(one: float | None, other: float | None) -> bool:
    return one is not None and (other is None or one > other)


def _less(one: float | None, other: float | None) -> bool:
    return one is not None and (other is None or one < other)


def _rules(walk: _Walk, old: Keywords, new: Keywords, pointer: str) -> Iterator[SchemaChange]:
    for keyword in _RULES:
        was, now = old.get(keyword), new.get(keyword)
        if was == now:
            continue
        what = f"{keyword} was {_or_none(was)}, now {_or_none(now)}"
        how = _Difference(keyword, was, now)
        if was is None:
            yield walk.narrower(pointer, what, how)
        elif now is None:
            yield walk.wider(pointer, what, how)
        else:  # which of two rules accepts more is not for us to say
            yield _change(pointer, what, how, breaking=True)


def _branches(walk: _Walk, old: Keywords, new: Keywords, pointer: str) -> Iterator[SchemaChange]:
    """The schemas that stand beside other keywords: all of them, or one of them, must fit too."""
    for keyword in _BRANCHES:
        was, now = ([_silent(one) for one in side.get(keyword, ())] for side in (old, new))
        if was == now and walk.before.get("$defs") == walk.after.get("$defs"):
            continue
        if was and now:
            how = _Difference(keyword, was, now)
            yield from _paired(walk, how, pointer)
        elif was or now:
            kind = walk.narrower if now else walk.wider
            how = _Difference(keyword, was or None, now or None)
            yield kind(pointer, f"{keyword} was {_or_none(how.was)}, now {_or_none(how.now)}", how)


def _words(walk: _Walk, old: Keywords, new: Keywords, pointer: str) -> Iterator[SchemaChange]:
    for keyword in _WORDS:
        if old.get(keyword) != new.get(keyword):
            how = _Difference(keyword, old.get(keyword), new.get(keyword))
            yield _change(pointer, f"its {keyword} changed", how, breaking=False)
    was, now = old.get("default"), new.get("default")
    if was != now and walk.side is Side.CALLER:
        # who leaves the argument out gets something else than before
        what = f"the default was {_or_none(was)}, now {_or_none(now)}"
        yield _change(pointer, what, _Difference("default", was, now), breaking="default" in old)


def _required(walk: _Walk, old: Keywords, new: Keywords, pointer: str) -> Iterator[SchemaChange]:
    was, now = set(old.get("required", ())), set(new.get("required", ()))
    for name in sorted(now - was):
        how = _Difference("required", was=False, now=True)
        yield walk.narrower(child(pointer, name), "it is required now", how)
    for name in sorted(was - now):
        if name in new.get("properties", {}):
            how = _Difference("required", was=True, now=False)
            yield walk.wider(child(pointer, name), "it is optional now", how)


def _properties(walk: _Walk, old: Keywords, new: Keywords, pointer: str) -> Iterator[SchemaChange]:
    was, now = old.get("properties", {}), new.get("properties", {})
    for name in was:
        inner = child(pointer, name)
        if name in now:
            yield from _schemas(walk, was[name], now[name], inner)
        else:
            # even where an object is open: who sent or read it meant something by it
            gone = _Difference("properties", was=was[name])
            yield _change(inner, "it is gone", gone, breaking=True)
    for name in now:
        if name not in was:
            new_one = _Difference("properties", now=now[name])
            yield _change(child(pointer, name), "it is new", new_one, breaking=False)
    yield from _rest(walk, old, new, pointer)


def _rest(walk: _Walk, old: Keywords, new: Keywords, pointer: str) -> Iterator[SchemaChange]:
    was, now = (one.get("additionalProperties", True) for one in (old, new))
    if was == now:
        return
    how = _Difference("additionalProperties", was, now)
    if now is False:
        yield walk.narrower(pointer, "other keys are refused now", how)
    elif was is False:
        yield walk.wider(pointer, "other keys are accepted now", how)
    else:
        yield from _schemas(walk, was, now, f"{pointer}/*")


def _items(walk: _Walk, old: Keywords, new: Keywords, pointer: str) -> Iterator[SchemaChange]:
    if "items" in old or "items" in new:
        was, now = old.get("items", True), new.get("items", True)
        yield from _schemas(walk, was, now, f"{pointer}/0")


def _alternatives(schema: Keywords) -> list[Any] | None:
    """The branches of a schema that is nothing but `anyOf` or `oneOf`."""
    for keyword in ("anyOf", "oneOf"):
        if keyword in schema and not set(schema) - {keyword, *_WORDS, "default", "$defs"}:
            return [_silent(branch) for branch in schema[keyword]]
    return None


def _unions(walk: _Walk, was: list[Any], now: list[Any], pointer: str) -> Iterator[SchemaChange]:
    yield from _paired(walk, _Difference("anyOf", was, now), pointer)


def _paired(walk: _Walk, how: _Difference, pointer: str) -> Iterator[SchemaChange]:
    """Equal branches are compared, one left on each side too; others came or went."""
    was, now = how.was, how.now
    gone = [branch for branch in was if branch not in now]
    came = [branch for branch in now if branch not in was]
    pairs = [(branch, branch) for branch in was if branch in now]
    if len(gone) == len(came) == 1:
        pairs, gone, came = [*pairs, (gone[0], came[0])], [], []
    for one, other in pairs:
        yield from _schemas(walk, one, other, pointer)
    # one branch less is one choice less, but of what must all hold it is one demand less
    if how.keyword == "allOf":
        for branch in gone:
            yield walk.wider(pointer, f"{_name(branch)} need not fit any more", how)
        for branch in came:
            yield walk.narrower(pointer, f"{_name(branch)} must fit as well now", how)
        return
    for branch in gone:
        yield walk.narrower(pointer, f"{_name(branch)} may not stand here any more", how)
    for branch in came:
        yield walk.wider(pointer, f"{_name(branch)} may stand here now", how)


def _silent(schema: Any) -> Any:
    """A schema without its words, by which alternatives are told apart."""
    if not isinstance(schema, dict):
        return schema
    return {key: value for key, value in schema.items() if key not in {*_WORDS, "$defs"}}


def _name(branch: Any) -> str:
    if not isinstance(branch, dict):
        return str(branch)
    return str(branch.get("$ref", branch.get("type", "without a type"))).rpartition("/")[2]


def _or_none(value: Any) -> str:
    return "not set" if value is None else repr(value)
