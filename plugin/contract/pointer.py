"""JSON pointers: into a document, and out of a `$ref`."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote

MISSING: Any = object()
"""What `look_up` returns where a pointer leads nowhere."""


def child(pointer: str, step: str | int) -> str:
    """The pointer one step deeper."""
    if isinstance(step, int):
        return f"{pointer}/{step}"
    if "~" in step or "/" in step:
        step = step.replace("~", "~0").replace("/", "~1")
    return f"{pointer}/{step}"


def steps(pointer: str) -> list[str]:
    """The unescaped steps of a pointer; the empty pointer has none."""
    return [step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:]]


def from_fragment(fragment: str) -> str:
    """The pointer that a URI fragment holds, percent-decoded."""
    return unquote(fragment) if "%" in fragment else fragment


def look_up(document: Any, pointer: str) -> Any:
    """The value that a pointer leads to, or MISSING."""
    value = document
    for step in steps(pointer):
        value = _step(value, step)
        if value is MISSING:
            return MISSING
    return value


def _step(value: Any, step: str) -> Any:
    if isinstance(value, dict):
        return value.get(step, MISSING)
    if isinstance(value, Sequence) and not isinstance(value, str) and step.isdecimal():
        return value[int(step)] if int(step) < len(value) else MISSING
    return MISSING
