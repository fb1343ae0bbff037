"""Why arguments do not fit a schema: the faults, each at its place.

jsonschema-rs says *whether* arguments fit, on every call. This walk runs only on those that do not,
to name what a model got wrong. Single constraints and conditions are again jsonschema-rs's word.
"""

from collections.abc import Iterator
from difflib import get_close_matches
from functools import reduce
from typing import Any

import jsonschema_rs

from plugin.contract.pointer import child
from plugin.harness.argument_schema import ArgumentSchema, is_of_type, type_of, types_of
from plugin.harness.faults import (
    Fault,
    FaultKind,
    alike,
    for_outside_enum,
    for_wrong_type,
    only_alike,
    shown,
)

_CONSTRAINTS = (
    ("minimum", "at least {}"),
    ("maximum", "at most {}"),
    ("exclusiveMinimum", "more than {}"),
    ("exclusiveMaximum", "less than {}"),
    ("multipleOf", "a multiple of {}"),
    ("minLength", "at least {} characters"),
    ("maxLength", "at most {} characters"),
    ("pattern", "text that matches {}"),
    ("minItems", "at least {} items"),
    ("maxItems", "at most {} items"),
    ("uniqueItems", "items that all differ"),
    ("minProperties", "at least {} keys"),
    ("maxProperties", "at most {} keys"),
    ("dependentRequired", "keys that come together: {}"),
)
_CONDITIONS = (
    ("not", "a value that its `not` allows"),
    ("propertyNames", "keys that its `propertyNames` allows"),
    ("dependentSchemas", "what its `dependentSchemas` ask for"),
)
# What a wrong value costs when the branches of an `anyOf` are compared: a slip in writing is nearer
# to the branch than a wrong choice, and that nearer than another kind of value.
_COST = {
    FaultKind.ENUM_CASE: 1,
    FaultKind.NUMBER_AS_STRING: 1,
    FaultKind.NEAR_MISS_KEY: 1,
    FaultKind.CONSTRAINT: 2,
    FaultKind.ENUM_INVENTED: 2,
    FaultKind.UNKNOWN_KEY: 2,
    FaultKind.BOOL_AS_STRING: 3,
    FaultKind.STRING_FOR_ARRAY: 3,
    FaultKind.MISSING_REQUIRED: 3,
    FaultKind.NULL_FOR_OPTIONAL: 3,
    FaultKind.WORD_FOR_NUMBER: 4,
    FaultKind.WRONG_TYPE: 5,
}
_SHOWN_VALUES = 12
_WRONG_TAG = 10
"""The cost of another value where a branch allows exactly one: that tells branches apart."""


def explain(schema: ArgumentSchema, arguments: Any) -> list[Fault]:
    """The faults of arguments that do not fit, ordered by pointer; one of a kind at each place."""
    try:
        faults = _Walk(schema).value(schema.root, arguments, "")
    except RecursionError:
        faults = []
    if not faults:  # nothing that the walk knows: jsonschema-rs has the last word
        faults = list(_unexplained(schema, arguments))
    found = {(fault.pointer, fault.fault): fault for fault in faults}
    return [found[key] for key in sorted(found)]


class _Walk:
    def __init__(self, schema: ArgumentSchema) -> None:
        self._schema = schema
        # Branches that share parts meet the same value again and again, at each level anew.
        self._known: dict[tuple[int, str], list[Fault]] = {}

    def value(self, schema: Any, value: Any, at: str) -> list[Fault]:
        """The faults of one value against one schema."""
        if schema is True:
            return []
        if schema is False:
            return [Fault(at, FaultKind.CONSTRAINT, f"{_name(at)} is not allowed here")]
        place = (id(schema), at)
        if place not in self._known:
            # A reference that leads back here without going deeper asks for nothing more.
            self._known[place] = []
            self._known[place] = list(self._faults(schema, value, at))
        return self._known[place]

    def _faults(self, schema: dict[str, Any], value: Any, at: str) -> Iterator[Fault]:
        types = types_of(schema)
        if types and not is_of_type(value, types):
            yield _wrong_type(value, types, at)
            return
        allowed = [schema["const"]] if "const" in schema else schema.get("enum")
        if allowed is not None and not _fits({"enum": allowed}, value):
            yield _outside_enum(value, allowed, at)
            return
        found = [*self._constraints(schema, value, at), *self._inside(schema, value, at)]
        found += self._in_place(schema, value, at)
        # What no part of a schema has looked at is known once all parts are content.
        yield from found or self._unevaluated(schema, value, at)

    def _inside(self, schema: dict[str, Any], value: Any, at: str) -> Iterator[Fault]:
        if isinstance(value, dict):
            yield from self._object(schema, value, at)
        elif isinstance(value, list):
            yield from self._array(schema, value, at)

    def _unevaluated(self, schema: dict[str, Any], value: Any, at: str) -> Iterator[Fault]:
        if not {"unevaluatedProperties", "unevaluatedItems"} & schema.keys():
            return
        validator = jsonschema_rs.Draft202012Validator(self._schema.document(schema))
        for error in validator.iter_errors(value):
            for key in getattr(error.kind, "unexpected", ()):
                if isinstance(value, dict):
                    yield _unknown_key(key, [], child(at, key))
                else:
                    yield Fault(at, FaultKind.CONSTRAINT, f"{_name(at)}: expected no further items")

    def _constraints(self, schema: dict[str, Any], value: Any, at: str) -> Iterator[Fault]:
        for keyword, words in _CONSTRAINTS:
            if keyword in schema and not _fits({keyword: schema[keyword]}, value):
                asked = words.format(shown(schema[keyword]))
                yield Fault(
                    at, FaultKind.CONSTRAINT, f"{_name(at)} is {shown(value)}; expected {asked}"
                )
        for keyword, words in _CONDITIONS:
            if keyword in schema and not self._fits_whole(schema, keyword, value):
                yield Fault(at, FaultKind.CONSTRAINT, f"{_name(at)}: expected {words}")
        if "contains" in schema and not self._fits_whole(schema, "contains", value):
            yield Fault(
                at, FaultKind.CONSTRAINT, f"{_name(at)}: too few or too many items that fit"
            )

    def _fits_whole(self, schema: dict[str, Any], keyword: str, value: Any) -> bool:
        """Whether a value fits one keyword that only means something beside its neighbours."""
        beside = {"minContains", "maxContains"} if keyword == "contains" else set()
        part = {key: schema[key] for key in {keyword, *beside} & schema.keys()}
        return _fits(self._schema.document(part), value)

    def _object(self, schema: dict[str, Any], value: dict[str, Any], at: str) -> Iterator[Fault]:
        properties = schema.get("properties", {})
        required = schema.get("required", ())
        meant = set()
        for key, part in value.items():
            place = child(at, key)
            if key in properties:
                yield from self._property(properties[key], part, place, key in required)
                for pattern in _matching(schema, key):
                    yield from self._property(pattern, part, place, key in required)
            else:
                near = self._known_key(schema, key)
                meant.add(near)
                yield from self._other_key(schema, key, part, place, near)
        for key in required:
            if key not in value and key not in meant:
                yield _missing(key, properties.get(key), at)

    def _property(self, schema: Any, value: Any, at: str, required: bool) -> list[Fault]:  # noqa: FBT001 - passed on
        faults = self.value(schema, value, at)
        if faults and value is None and not required:
            message = f"{_name(at)} is null; leave an optional argument out instead"
            return [Fault(at, FaultKind.NULL_FOR_OPTIONAL, message)]
        return faults

    def _known_key(self, schema: dict[str, Any], key: str) -> str | None:
        """The listed key that an unknown key of a closed object was meant to be."""
        if schema.get("additionalProperties") is not False:
            return None
        return next((known for known in schema.get("properties", {}) if alike(key, known)), None)

    def _other_key(
        self, schema: dict[str, Any], key: str, value: Any, at: str, near: str | None
    ) -> Iterator[Fault]:
        matching = _matching(schema, key)
        for pattern in matching:
            yield from self._property(pattern, value, at, required=False)
        more = schema.get("additionalProperties", True)
        if matching or more is True:
            return
        if more is not False:
            yield from self._property(more, value, at, required=False)
        elif near is not None:
            meant = only_alike(key, schema.get("properties", {}))
            yield Fault(at, FaultKind.NEAR_MISS_KEY, f"`{key}` is unknown; write `{near}`", meant)
        else:
            yield _unknown_key(key, list(schema.get("properties", {})), at)

    def _array(self, schema: dict[str, Any], value: list[Any], at: str) -> Iterator[Fault]:
        first = schema.get("prefixItems", [])
        rest = schema.get("items", True)
        for index, item in enumerate(value):
            part = first[index] if index < len(first) else rest
            yield from self.value(part, item, f"{at}/{index}")

    def _in_place(self, schema: dict[str, Any], value: Any, at: str) -> Iterator[Fault]:
        if "$ref" in schema:
            yield from self.value(self._schema.target(schema["$ref"]), value, at)
        for part in schema.get("allOf", ()):
            yield from self.value(part, value, at)
        if "anyOf" in schema:
            yield from self._nearest(schema["anyOf"], value, at)
        if "if" in schema:
            holds = _fits(self._schema.document(schema["if"]), value)
            yield from self.value(schema.get("then" if holds else "else", True), value, at)

    def _nearest(self, branches: list[Any], value: Any, at: str) -> list[Fault]:
        """The faults in the branch that the value comes closest to; none if one branch fits."""
        found = [(self.value(branch, value, at), self._followed(branch)) for branch in branches]
        if any(not faults for faults, _ in found):
            return []
        return min(found, key=lambda pair: _distance(pair[0], pair[1], value, at))[0]

    def _followed(self, schema: Any) -> dict[str, Any]:
        seen: set[int] = set()
        while isinstance(schema, dict) and "$ref" in schema and id(schema) not in seen:
            seen.add(id(schema))
            schema = self._schema.target(schema["$ref"])
        return schema if isinstance(schema, dict) else {}


def _matching(schema: dict[str, Any], key: str) -> list[Any]:
    """The schemas of `patternProperties` that a key falls under."""
    patterns = schema.get("patternProperties", {})
    return [part for pattern, part in patterns.items() if _fits({"pattern": pattern}, key)]


def _distance(
    faults: list[Fault], branch: dict[str, Any], value: Any, at: str
) -> tuple[bool, int, bool]:
    """How far a value is from a branch; `null` stands for "nothing", so it is the last resort.

    Whatever is wrong inside an object or a list, a branch for another kind of value is farther.
    """
    other_kind = isinstance(value, dict | list) and any(
        fault.pointer == at and fault.fault is FaultKind.WRONG_TYPE for fault in faults
    )
    cost = sum(_COST[fault.fault] for fault in faults)
    if isinstance(value, dict) and _is_tagged_otherwise(branch, value):
        cost += _WRONG_TAG
    return other_kind, cost, branch.get("type") == "null"


def _is_tagged_otherwise(branch: dict[str, Any], value: dict[str, Any]) -> bool:
    """Whether a key that can have but one value in this branch has another one."""
    for key, part in branch.get("properties", {}).items():
        if key not in value or not isinstance(part, dict):
            continue
        allowed = [part["const"]] if "const" in part else part.get("enum", ())
        if len(allowed) == 1 and value[key] != allowed[0] and not alike(value[key], allowed[0]):
            return True
    return False


def _fits(document: Any, value: Any) -> bool:
    return jsonschema_rs.Draft202012Validator(document).is_valid(value)


def _wrong_type(value: Any, types: list[str], at: str) -> Fault:
    kind = for_wrong_type(value, types)
    expected = " or ".join(types)
    hint = {
        FaultKind.NUMBER_AS_STRING: "; write the number without quotes",
        FaultKind.BOOL_AS_STRING: "; write true or false without quotes",
        FaultKind.STRING_FOR_ARRAY: "; write a JSON array",
    }.get(kind, "")
    got = f"{shown(value)} ({type_of(value)})"
    return Fault(at, kind, f"{_name(at)} is {got}; expected {expected}{hint}")


def _outside_enum(value: Any, allowed: list[Any], at: str) -> Fault:
    kind, same = for_outside_enum(value, allowed)
    if kind is FaultKind.ENUM_CASE:
        meant = only_alike(value, allowed)
        return Fault(at, kind, f"{_name(at)} is {shown(value)}; write {shown(same)}", meant)
    expected = ", ".join(shown(known) for known in allowed[:_SHOWN_VALUES])
    more = "" if len(allowed) <= _SHOWN_VALUES else f" (and {len(allowed) - _SHOWN_VALUES} more)"
    return Fault(at, kind, f"{_name(at)} is {shown(value)}; expected one of {expected}{more}")


def _missing(key: str, schema: Any, at: str) -> Fault:
    part = schema if isinstance(schema, dict) else {}
    expected = " or ".join(types_of(part))
    asked = f" ({expected})" if expected else ""
    place = child(at, key)
    message = f"`{place if at else key}`{asked} is required and missing"
    return Fault(place, FaultKind.MISSING_REQUIRED, message)


def _unknown_key(key: str, known: list[str], at: str) -> Fault:
    near = get_close_matches(key, known, n=1)
    listed = ", ".join(f"`{name}`" for name in known) or "none"
    hint = f"did you mean `{near[0]}`?" if near else f"known here: {listed}"
    return Fault(at, FaultKind.UNKNOWN_KEY, f"`{key}` is unknown; {hint}")


def _name(pointer: str) -> str:
    return f"`{pointer}`" if pointer else "the arguments object"


def _unexplained(schema: ArgumentSchema, arguments: Any) -> Iterator[Fault]:
    try:
        for error in schema.validator.iter_errors(arguments):
            at = reduce(child, error.instance_path, "")
            yield Fault(at, FaultKind.CONSTRAINT, error.message[:200])
    except ValueError as error:  # nested deeper than jsonschema-rs follows
        yield Fault("", FaultKind.CONSTRAINT, f"the arguments do not fit: {error}")
