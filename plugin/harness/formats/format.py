"""What a transcript format has to offer, and the small readers that several of them share."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from plugin.messages import Call

Calls = tuple[Call, ...]
"""The calls of one reply, in the order in which the model wrote them; empty if it made none."""


@dataclass(frozen=True, slots=True)
class Format:
    """One wire format. All functions are pure.

    `recognises` says whether a decoded body is of this format; `replies` takes the calls out of it,
    one tuple a reply (a body with several choices holds several). A format that is streamed also
    says which events are its own (`recognises_event`) and joins them into a body (`join`).
    """

    name: str
    recognises: Callable[[Any], bool]
    replies: Callable[[Any], Iterable[Calls]]
    recognises_event: Callable[[Any], bool] | None = None
    join: Callable[[Sequence[Any]], Any] | None = None


def objects(value: Any) -> list[dict[str, Any]]:
    """The objects among the items of a list; nothing for whatever is no list."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def mapping(value: Any) -> dict[str, Any]:
    """The value if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def text(value: Any) -> str:
    """The value if it is text, else no text."""
    return value if isinstance(value, str) else ""


def position(value: Any) -> int | None:
    """An index that a stream's event carries; None where it carries none that could be one."""
    return value if isinstance(value, int) else None


def identity(value: Any) -> str | None:
    """A call's id: text that is not empty; numbers (JSON-RPC) as text."""
    if isinstance(value, bool) or value in (None, ""):
        return None
    return str(value)
