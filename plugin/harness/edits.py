"""Copies of JSON values with one place changed; what lies beside the path is shared, not copied."""

from collections.abc import Sequence
from typing import Any

Path = tuple[str | int, ...]
"""Keys and indices from the root to a place; the root's is empty."""


def put(value: Any, path: Sequence[str | int], new: Any) -> Any:
    """A copy with `new` at the end of the path, where a value stood or a key may be added."""
    if not path:
        return new
    step, *deeper = path
    if isinstance(value, list):
        index = int(step)
        return [*value[:index], put(value[index], deeper, new), *value[index + 1 :]]
    return {**value, step: put(value.get(step), deeper, new)}


def without(value: Any, path: Sequence[str | int]) -> Any:
    """A copy without the key at the end of the path."""
    *outer, key = path
    parent = value_at(value, outer)
    return put(value, outer, {name: part for name, part in parent.items() if name != key})


def renamed(value: Any, path: Sequence[str | int], new: str) -> Any:
    """A copy in which the key at the end of the path is another, in the same position."""
    *outer, key = path
    parent = value_at(value, outer)
    return put(value, outer, {new if n == key else n: part for n, part in parent.items()})


def value_at(value: Any, path: Sequence[str | int]) -> Any:
    """What stands at the end of the path."""
    for step in path:
        value = value[int(step)] if isinstance(value, list) else value[step]
    return value
