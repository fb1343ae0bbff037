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
from plugin.contract.schema import resolve

_LOWER = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties", "minContains")
_UPPER = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties", "maxContains")
_RULES = (
    *("pattern", "format", "multipleOf", "uniqueItems", "contentEncoding", "contentMediaType"),
    *("not", "if", "then", "else", "allOf", "anyOf", "oneOf", "contains", "propertyNames"),
    *("dependentRequired", "dependentSchemas", "prefixItems", "patternProperties"),
    "unevaluatedProperties",
)
_WORDS = ("title", "description", "examples", "deprecated")
_TYPES = frozenset({"null", "boolean", "integer", "number", "string", "array", "object"})


class Side(Enum):
    """Who writes the value: the caller (arguments) or the service (answers)."""

    CALLER = "caller"
    SERVICE = "service"


@dataclass(frozen=True, slots=True)
class SchemaChange:
    """One difference. `pointer` leads into the value, not into the schema."""

    pointer: str
    what: str
    breaking: bool


Keywords = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Walk:
    """The two roots, for their `$defs`, and the side; `inside` holds the references followed."""

    before: Mapping[str, Any]
    after: Mapping[str, Any]
    side: Side
    inside: frozenset[tuple[Any, Any]] = frozenset()

    def narrower(self, pointer: str, what: str) -> SchemaChange:
        return SchemaChange(pointer, what, breaking=self.side is Side.CALLER)

    def wider(self, pointer: str, what: str) -> SchemaChange:
        return SchemaChange(pointer, what, breaking=self.side is Side.SERVICE)


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
    for rule in (_types, _values, _bounds, _rules, _required, _properties, _items):
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
    if was - now:
        yield walk.narrower(pointer, what)
    if now - was:
        yield walk.wider(pointer, what)


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
    if was is None or now is None:
        if was is None:
            yield walk.narrower(pointer, f"only {_shown(now)} may stand here now")
        else:
            yield walk.wider(pointer, f"other values than {_shown(was)} may stand here now")
        return
    gone = [value for value in was if value not in now]
    came = [value for value in now if value not in was]
    if gone:
        yield walk.narrower(pointer, f"{_shown(gone)} may not stand here any more")
    if came:
        yield walk.wider(pointer, f"{_shown(came)} may stand here now")


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
            yield kind(pointer, f"{keyword} was {_or_none(was)}, now {_or_none(now)}")


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
        if was is None:
            yield walk.narrower(pointer, what)
        elif now is None:
            yield walk.wider(pointer, what)
        else:  # which of two rules accepts more is not for us to say
            yield SchemaChange(pointer, what, breaking=True)


def _words(walk: _Walk, old: Keywords, new: Keywords, pointer: str) -> Iterator[SchemaChange]:
    for keyword in _WORDS:
        if old.get(keyword) != new.get(keyword):
            yield SchemaChange(pointer, f"its {keyword} changed", breaking=False)
    was, now = old.get("default"), new.get("default")
    if was != now and walk.side is Side.CALLER:
        # who leaves the argument out gets something else than before
        what = f"the default was {_or_none(was)}, now {_or_none(now)}"
        yield SchemaChange(pointer, what, breaking="default" in old)


def _required(walk: _Walk, old: Keywords, new: Keywords, pointer: str) -> Iterator[SchemaChange]:
    was, now = set(old.get("required", ())), set(new.get("required", ()))
    for name in sorted(now - was):
        yield walk.narrower(f"{pointer}/{name}", "it is required now")
    for name in sorted(was - now):
        if name in new.get("properties", {}):
            yield walk.wider(f"{pointer}/{name}", "it is optional now")


def _properties(walk: _Walk, old: Keywords, new: Keywords, pointer: str) -> Iterator[SchemaChange]:
    was, now = old.get("properties", {}), new.get("properties", {})
    for name in was:
        inner = f"{pointer}/{name}"
        if name in now:
            yield from _schemas(walk, was[name], now[name], inner)
        else:
            # even where an object is open: who sent or read it meant something by it
            yield SchemaChange(inner, "it is gone", breaking=True)
    for name in now:
        if name not in was:
            yield SchemaChange(f"{pointer}/{name}", "it is new", breaking=False)
    yield from _rest(walk, old, new, pointer)


def _rest(walk: _Walk, old: Keywords, new: Keywords, pointer: str) -> Iterator[SchemaChange]:
    was, now = (one.get("additionalProperties", True) for one in (old, new))
    if was == now:
        return
    if now is False:
        yield walk.narrower(pointer, "other keys are refused now")
    elif was is False:
        yield walk.wider(pointer, "other keys are accepted now")
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
    """Equal branches are compared, one left on each side too; others came or went."""
    gone = [branch for branch in was if branch not in now]
    came = [branch for branch in now if branch not in was]
    pairs = [(branch, branch) for branch in was if branch in now]
    if len(gone) == len(came) == 1:
        pairs, gone, came = [*pairs, (gone[0], came[0])], [], []
    for one, other in pairs:
        yield from _schemas(walk, one, other, pointer)
    for branch in gone:
        yield walk.narrower(pointer, f"{_name(branch)} may not stand here any more")
    for branch in came:
        yield walk.wider(pointer, f"{_name(branch)} may stand here now")


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
