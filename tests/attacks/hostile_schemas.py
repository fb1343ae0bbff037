"""Schemas that no honest caller sends: random ones of a hostile grammar, and those that once hurt.

Each is meant to be small, and costly for whoever reads it carelessly.
"""

import random
from collections.abc import Callable, Iterator
from typing import Any

Schema = Any

NULLABLE = "^((a?){0,30}){0,30}$"
"""A hundred bytes that stopped the runtime's own grammar for minutes."""


def known() -> dict[str, Schema]:
    """Attacks that worked once, by name."""
    return {
        "nullable repeats": _of({"type": "string", "pattern": NULLABLE}),
        "optional signs": _of({"type": "string", "pattern": "^(a?){0,900}$"}),
        "overlapping alternatives": _of({"type": "string", "pattern": "^(a|aa|aaa){0,200}$"}),
        "branches of nothing": _circle(4500),
        "a default that backtracks": _backtracking(),
        "what is not evaluated": _unevaluated(50),
        "a chain of a thousand": _chain(1000),
        "a long enum": _of({"enum": [f"value {index}" for index in range(20_000)]}),
    }


def generated(count: int, seed: int = 1) -> Iterator[Schema]:
    """Schemas of the hostile grammar, always the same ones for a seed."""
    chance = random.Random(seed)  # noqa: S311 - values, not secrets
    for _ in range(count):
        yield _Maker(chance).schema()


class _Maker:
    """Writes one schema; `left` bounds its parts."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._left = chance.choice([5, 20, 60, 200])
        self._names = [f"d{index}" for index in range(chance.choice([1, 3, 8]))]

    def schema(self) -> Schema:
        root = _of(self._part(chance_depth := self._chance.choice([2, 4, 8, 20])))
        if self._chance.random() < 0.02:
            root["properties"]["y"] = {"enum": [f"value {index}" for index in range(20_000)]}
        root["$defs"] = {name: self._part(chance_depth) for name in self._names}
        if self._chance.random() < 0.3:
            root["unevaluatedProperties"] = False
        return root

    def _part(self, depth: int) -> Schema:
        self._left -= 1
        if depth <= 0 or self._left <= 0:
            return self._leaf()
        makers: list[Callable[[int], Schema]] = [
            self._branches,
            self._branches,
            self._object,
            self._array,
            self._conditions,
            self._deep,
            lambda _depth: self._leaf(),
        ]
        return self._chance.choice(makers)(depth - 1)

    def _leaf(self) -> Schema:
        pick = self._chance.choice
        many = pick([2, 5, 20, 50, 300])
        makers: list[Callable[[], Schema]] = [
            lambda: True,
            lambda: {"type": "string"},
            lambda: {"type": "string", "pattern": self._pattern(3)},
            lambda: {"type": "string", "pattern": self._pattern(4), "default": "a" * many},
            lambda: {"type": "string", "minLength": many, "maxLength": pick([many, 10**9])},
            lambda: {"enum": [f"{'x' * (index % 7)}{index}" for index in range(many)]},
            lambda: {"type": "integer", "minimum": -(10 ** pick([1, 40])), "multipleOf": 7},
            lambda: {"type": "number", "exclusiveMaximum": 1e-9, "minimum": 0},
            lambda: {"type": ["string", "null"], "format": pick(["date-time", "email", "uri"])},
            lambda: {"$ref": f"#/$defs/{pick(self._names)}"},
            lambda: {"$ref": "#"},
            lambda: {"const": {"a": ["\\\"'\n" * 20]}},
        ]
        return pick(makers)()

    def _branches(self, depth: int) -> Schema:
        count = self._chance.choice([1, 2, 3, 40])
        keyword = self._chance.choice(["anyOf", "oneOf", "allOf"])
        found: dict[str, Any] = {keyword: [self._part(depth) for _ in range(count)]}
        if self._chance.random() < 0.3:
            found |= self._object(depth)
        return found

    def _object(self, depth: int) -> dict[str, Any]:
        names = [f"p{index}" for index in range(self._chance.choice([1, 3, 30]))]
        found: dict[str, Any] = {
            "type": "object",
            "properties": {name: self._part(depth) for name in names},
            "required": names[: self._chance.choice([0, 1, 3])],
        }
        more: list[dict[str, Any]] = [
            {},
            {"additionalProperties": self._leaf()},
            {"unevaluatedProperties": False},
            {"patternProperties": {self._pattern(3): self._leaf()}},
            {"propertyNames": {"pattern": self._pattern(2)}, "minProperties": 4},
            {"dependentSchemas": {"p0": self._leaf()}},
        ]
        return found | self._chance.choice(more)

    def _array(self, depth: int) -> Schema:
        found: dict[str, Any] = {"type": "array", "items": self._part(depth)}
        more: list[dict[str, Any]] = [
            {},
            {"contains": self._leaf(), "minContains": self._chance.choice([1, 30])},
            {"minItems": self._chance.choice([1, 80, 10**9]), "uniqueItems": True},
            {"prefixItems": [self._leaf() for _ in range(5)], "unevaluatedItems": False},
        ]
        return found | self._chance.choice(more)

    def _conditions(self, depth: int) -> Schema:
        parts = {key: self._part(depth) for key in ("if", "then", "else")}
        return {**parts, "not": self._leaf()}

    def _deep(self, depth: int) -> Schema:
        found = self._part(depth)
        for _ in range(self._chance.choice([3, 3, 3, 20, 200])):
            found = {"allOf": [found]}
        return found

    def _pattern(self, depth: int) -> str:
        return f"^{self._expression(depth)}$"

    def _expression(self, depth: int) -> str:
        pick = self._chance.choice
        if depth <= 0:
            return pick(["a", "a?", "[a-z]", ".", "ab|a", "\\w*", "(?!b)a", "\\s", "[^x]"])
        inner = self._expression(depth - 1)
        return pick(
            [
                f"({inner})*",
                f"({inner}){{0,30}}",
                f"(({inner})?){{0,{pick([3, 300])}}}",
                f"({inner}|{self._expression(depth - 1)})+",
                f"({inner})\\1",
                f"(?={inner}){inner}",
                f"{inner}{self._expression(depth - 1)}",
            ]
        )


def _of(part: Schema) -> dict[str, Any]:
    return {"type": "object", "properties": {"x": part}, "required": ["x"]}


def _circle(branches: int) -> Schema:
    """Eighteen kilobytes of alternatives, and a way back."""
    back = {"type": "array", "items": {"$ref": "#/$defs/n"}}
    node = {"anyOf": [*({} for _ in range(branches)), back]}
    return {"type": "object", "properties": {"x": {"$ref": "#/$defs/n"}}, "$defs": {"n": node}}


def _backtracking() -> Schema:
    part = {"type": "string", "pattern": "^(?=(a+)+$)(a|a)*\\1b$", "default": "a" * 290_000}
    return _of({**part, "not": {"const": "b"}})


def _unevaluated(references: int) -> Schema:
    parts: dict[str, Any] = {
        f"d{index}": {
            "allOf": [{"$ref": f"#/$defs/d{index + 1}"}, {"properties": {f"p{index}": {}}}]
        }
        for index in range(references)
    }
    parts[f"d{references}"] = {"type": "object"}
    root = [{"$ref": f"#/$defs/d{index}"} for index in range(references)]
    return {"type": "object", "allOf": root, "unevaluatedProperties": False, "$defs": parts}


def _chain(length: int) -> Schema:
    parts: dict[str, Any] = {
        f"d{index}": {"allOf": [{"$ref": f"#/$defs/d{index + 1}"}]} for index in range(length)
    }
    parts[f"d{length}"] = {"type": "string"}
    return {**_of({"$ref": "#/$defs/d0"}), "$defs": parts}
