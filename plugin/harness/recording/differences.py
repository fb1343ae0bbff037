"""Where two JSON values differ, but for what is masked because it differs each time."""

from collections.abc import Iterable, Iterator
from typing import Any

from plugin.contract.pointer import child, steps
from plugin.harness.faults import shown
from plugin.harness.recording.placeholders import same_type


class Masks:
    """JSON pointers, with `*` for any step."""

    def __init__(self, pointers: Iterable[str]) -> None:
        found = [_normal(pointer) for pointer in pointers]
        self._exact = {pointer for pointer in found if "*" not in steps(pointer)}
        self._patterns = [steps(pointer) for pointer in found if pointer not in self._exact]

    def __contains__(self, pointer: str) -> bool:
        if pointer in self._exact:
            return True
        path = steps(pointer)
        return any(
            len(path) == len(pattern)
            and all(want in ("*", step) for want, step in zip(pattern, path, strict=True))
            for pattern in self._patterns
        )


def _normal(pointer: str) -> str:
    return pointer if not pointer or pointer.startswith("/") else f"/{pointer}"


def differences(
    one: Any, other: Any, at: str = "", masks: Masks | None = None
) -> Iterator[tuple[str, str, str]]:
    """Where two values differ: pointer, the first, the second, shortened.

    Of what is masked the type alone is compared.
    """
    if masks is not None and at in masks:
        if not same_type(one, other):
            yield at, shown(one), shown(other)
    elif isinstance(one, dict) and isinstance(other, dict):
        yield from _of_objects(one, other, at, masks)
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for index, pair in enumerate(zip(one, other, strict=True)):
            yield from differences(*pair, child(at, index), masks)
    elif not same_type(one, other) or one != other:
        yield at, _told(one, other), _told(other, one)


def _of_objects(
    one: dict[str, Any], other: dict[str, Any], at: str, masks: Masks | None
) -> Iterator[tuple[str, str, str]]:
    for key in dict.fromkeys((*one, *other)):
        here = child(at, key)
        if key not in other:
            yield here, shown(one[key]), "nothing"
        elif key not in one:
            yield here, "nothing", shown(other[key])
        else:
            yield from differences(one[key], other[key], here, masks)


def _told(value: Any, other: Any) -> str:
    if isinstance(value, list) and isinstance(other, list):
        return f"{len(value)} items"
    return shown(value)
