"""The smallest valid value of a schema that can be found: what is left when a model finds none."""

import json
from collections.abc import Iterator, Mapping
from itertools import chain, islice
from typing import Any

from plugin.contract.operation import Schema
from plugin.contract.schema.merge import Contradiction, Inexpressible
from plugin.engines.llama.grammar.schema import Impossible, grammar
from plugin.engines.llama.grammar.schema_form import Form, Oversized
from plugin.engines.llama.grammar.schema_kinds import types_of
from plugin.engines.llama.grammar.strings import string

_TRIES = 200
"""Values that are tried, at most, for one schema; twenty times as many of its parts are."""

_DEEPEST = 24
_LONGEST = 2_000
_OTHER = "bcxzABX0159_- "
_TEXTS = ("", "a", "A", "0", "1", "aa", "ab", "a1", "2026-01-31", "https://example.com/")
_NUMBERS = (0, 1, -1, 2, 10, 0.5, 100)


def minimal(form: Form) -> Any:
    """A valid value of the schema, judged by the schema as written.

    Raises Impossible where none is found, which does not say that there is none.
    """
    try:
        shortest = json.loads(grammar(form, room=0).shortest)
    except (Impossible, Oversized):
        pass
    else:
        if form.validator.is_valid(shortest):
            return shortest
    for value in islice(_Search(form).values(form.root), _TRIES):
        if form.validator.is_valid(value):
            return value
    raise Impossible("no value was found that fits it")


class _Search:
    """Values that may fit a schema, likely and small ones first."""

    def __init__(self, form: Form) -> None:
        self._form = form
        self._left = _TRIES * 20
        self._depth = 0

    def values(self, schema: Schema) -> Iterator[Any]:
        """Candidates for a schema; those that do not fit it are among them."""
        self._left -= 1
        if self._left < 0 or self._depth > _DEEPEST:
            return
        self._depth += 1
        try:
            yield from list(islice(self._candidates(schema), _TRIES))
        finally:
            self._depth -= 1

    def _candidates(self, schema: Schema) -> Iterator[Any]:
        try:
            schema = self._form.merger.whole(schema)
        except Contradiction:
            return
        except Inexpressible:
            schema = self._beside(schema)
        if isinstance(schema, bool):
            yield from ("", 0, None, {}, []) if schema else ()
            return
        if "const" in schema or "enum" in schema:
            yield from [schema["const"]] if "const" in schema else schema["enum"]
            return
        yield from self._said(schema)
        for keyword in ("anyOf", "oneOf"):
            if keyword in schema:
                yield from self._branches(schema, keyword)
                return
        yield from self._conditions(schema)
        for name in types_of(schema):
            yield from self._typed(schema, name)

    def _beside(self, schema: Schema) -> Schema:
        """Parts that cannot be merged, merged as far as they can."""
        if isinstance(schema, bool):
            return schema
        whole: Schema = {key: value for key, value in schema.items() if key != "allOf"}
        for part in schema.get("allOf", ()):
            try:
                whole = self._form.merger.merged(whole, self._form.merger.whole(part))
            except Inexpressible:
                continue
        return whole

    def _said(self, schema: Mapping[str, Any]) -> Iterator[Any]:
        """What the schema itself gives as a value."""
        if "default" in schema:
            yield schema["default"]
        yield from schema.get("examples", ())

    def _branches(self, schema: dict[str, Any], keyword: str) -> Iterator[Any]:
        rest = {key: value for key, value in schema.items() if key != keyword}
        rest.pop("default", None)
        for branch in schema[keyword]:
            try:
                yield from self.values(self._form.merger.merged(rest, branch))
            except Inexpressible:
                yield from self.values(branch)

    def _conditions(self, schema: dict[str, Any]) -> Iterator[Any]:
        """With `if` and `then`, or with `else`."""
        if "if" not in schema:
            return
        rest = {key: value for key, value in schema.items() if key not in ("if", "then", "else")}
        for parts in (("else",), ("if", "then")):
            whole: Schema = rest
            try:
                for part in parts:
                    whole = self._form.merger.merged(whole, schema.get(part, True))
            except Inexpressible:
                continue
            yield from self.values(whole)

    def _typed(self, schema: dict[str, Any], name: str) -> Iterator[Any]:
        match name:
            case "object":
                yield from self._objects(schema)
            case "array":
                yield from self._arrays(schema)
            case "string":
                yield from _texts(schema)
            case "integer" | "number":
                yield from _numbers(schema)
            case _:
                yield from (False, True) if name == "boolean" else (None,)

    def _fitting(self, schema: Schema, count: int) -> list[Any]:
        """Up to `count` different values that fit a part of the schema."""
        found: list[Any] = []
        for value in self.values(schema):
            if len(found) >= count:
                break
            if value not in found and self._form.accepts(schema, value):
                found.append(value)
        return found

    def _objects(self, schema: dict[str, Any]) -> Iterator[Any]:
        """The required members; then with other values of each; then with others beside them."""
        declared: Mapping[str, Schema] = schema.get("properties", {})
        beyond = schema.get("additionalProperties", True)
        choices: dict[str, list[Any]] = {}
        for name in schema.get("required", ()):
            choices[name] = self._fitting(declared.get(name, beyond), 4)
            if not choices[name]:
                return
        least = {name: values[0] for name, values in choices.items()}
        yield least
        for name, values in choices.items():
            yield from ({**least, name: value} for value in values[1:])
        wider = dict(least)
        for name in [*declared, *self._names(schema)]:
            if name not in wider:
                more = self._fitting(declared.get(name, beyond), 1)
                yield from ({**least, name: value} for value in more)
                wider |= dict.fromkeys([name], more[0]) if more else {}
                yield dict(wider)

    def _names(self, schema: Mapping[str, Any]) -> Iterator[str]:
        """Names that nobody declared."""
        wanted = schema.get("minProperties", 0) - len(schema.get("properties", ()))
        plain = (f"a{index}" if index else "a" for index in range(min(wanted, 50)))
        names = self._fitting(schema.get("propertyNames", {"type": "string"}), 3)
        return chain((name for name in names if isinstance(name, str)), plain)

    def _arrays(self, schema: dict[str, Any]) -> Iterator[Any]:
        least = schema.get("minItems", 0)
        if least > _LONGEST:
            return
        first = [self._fitting(item, 1) for item in schema.get("prefixItems", ())]
        leading = [values[0] for values in first if values]
        held = self._fitting(schema["contains"], 1) if "contains" in schema else []
        held *= min(max(schema.get("minContains", 1), 1), _LONGEST)
        yield from (leading[:count] for count in range(least, len(leading) + 1))
        different = self._fitting(schema.get("items", True), max(least, 1))
        more = max(least - len(leading) - len(held), 0)
        yield [*leading, *held, *different[:more]]
        if different:
            yield [*leading, *held, *[different[0]] * more]
            yield [*leading, different[0]]


def _texts(schema: Mapping[str, Any]) -> Iterator[str]:
    least = schema.get("minLength", 0)
    if least <= _LONGEST:
        part = string(schema, 40)
        shortest = json.loads(part.shortest) if part else ""
        yield shortest
        for char in _OTHER if shortest else "":
            yield shortest.replace(shortest[0], char)
            yield char + shortest[1:]
            yield shortest[:-1] + char
        for text in (*_TEXTS, *(f"a{index}" for index in range(_TRIES))):
            yield text.ljust(least, "a")[: max(schema.get("maxLength", _LONGEST), 0)]


def _numbers(schema: Mapping[str, Any]) -> Iterator[Any]:
    yield from _NUMBERS
    low = schema.get("minimum", schema.get("exclusiveMinimum"))
    high = schema.get("maximum", schema.get("exclusiveMaximum"))
    yield from (bound for bound in (low, high) if bound is not None)
    yield from (low + 1, low + 0.5) if low is not None else ()
    yield from (high - 1, high - 0.5) if high is not None else ()
    yield from ((low + high) / 2,) if low is not None and high is not None else ()
    step = schema.get("multipleOf")
    if step:
        start = int((low or 0) // step)
        yield from (step * factor for factor in range(start, start + 5))
    first = int(low or 0)
    yield from range(first, first + _TRIES)
