"""Random arguments that a strict tool accepts: what a model in strict mode could write."""

import random
from typing import Any

_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_DEEP = 6
_GIVEN = 0.6


class Instances:
    """Makes instances of one strict schema; the same seed makes the same ones."""

    def __init__(self, schema: dict[str, Any], seed: int) -> None:
        self._schema = schema
        self._random = random.Random(seed)  # noqa: S311 - arguments, not secrets

    def make(self) -> Any:
        return self._value(self._schema, 0)

    def _value(self, node: dict[str, Any], depth: int) -> Any:
        if "$ref" in node:
            return self._value(self._schema["$defs"][node["$ref"].rpartition("/")[2]], depth + 1)
        if "anyOf" in node:
            return self._branch(node["anyOf"], depth)
        if "enum" in node:
            return self._random.choice(node["enum"])
        types = node["type"] if isinstance(node["type"], list) else [node["type"]]
        if types == ["null"] or (
            "null" in types and (depth > _DEEP or self._random.random() < 0.4)
        ):
            return None
        return getattr(self, f"_{next(name for name in types if name != 'null')}")(node, depth)

    def _branch(self, branches: list[dict[str, Any]], depth: int) -> Any:
        if depth > _DEEP:
            plain = [branch for branch in branches if branch.get("type") == "null"]
            plain += [branch for branch in branches if "$ref" not in branch]
            return self._value((plain or branches)[0], depth + 1)
        return self._value(self._random.choice(branches), depth + 1)

    def _object(self, node: dict[str, Any], depth: int) -> Any:
        return {name: self._value(part, depth + 1) for name, part in node["properties"].items()}

    def _array(self, node: dict[str, Any], depth: int) -> Any:
        least = node.get("minItems", 0)
        most = least if depth > _DEEP else min(node.get("maxItems", least + 3), least + 3)
        return [
            self._value(node["items"], depth + 1) for _ in range(self._random.randint(least, most))
        ]

    def _string(self, _node: dict[str, Any], _depth: int) -> Any:
        return "".join(self._random.choices(_LETTERS, k=self._random.randint(1, 8)))

    def _integer(self, node: dict[str, Any], _depth: int) -> Any:
        return int(self._number(node, _depth))

    def _number(self, node: dict[str, Any], _depth: int) -> Any:
        low = node.get("minimum", node.get("exclusiveMinimum", -3) + 1)
        high = node.get("maximum", node.get("exclusiveMaximum", low + 9) - 1)
        step = node.get("multipleOf", 1)
        first = -(-low // step) * step
        return min(first + step * self._random.randint(0, 3), high) if step == 1 else first

    def _boolean(self, _node: dict[str, Any], _depth: int) -> Any:
        return self._random.random() < 0.5

    def _null(self, _node: dict[str, Any], _depth: int) -> Any:
        return None
