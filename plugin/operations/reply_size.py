"""How long a reply may become: a caller with a limit of its own must be able to read it."""

from collections.abc import Iterable
from typing import Any, TypeVar

from pydantic import BaseModel
from pydantic_core import to_json

Item = TypeVar("Item", bound=BaseModel)

LARGEST_REPLY = 90_000
"""Characters of JSON; GPT Actions take less than 100,000, and an envelope needs room."""


def written(value: Any) -> int:
    """How many characters `value` takes as JSON, counting as those who count in UTF-16 do."""
    text = to_json(value).decode()
    return len(text) if text.isascii() else len(text.encode("utf-16-le")) // 2


def fitting(items: Iterable[Item], room: int = LARGEST_REPLY) -> list[Item]:
    """The first of `items` that fit into `room` characters; at least one, if there is one."""
    taken: list[Item] = []
    for item in items:
        room -= written(item) + 1
        if room < 0 and taken:
            break
        taken.append(item)
    return taken


def cut(text: str, room: int) -> str:
    """The beginning of `text` that takes at most `room` characters as JSON, quotes included."""
    text = text[:room]
    while text and (size := written(text)) > room:
        text = text[: len(text) * room // size]
    return text
