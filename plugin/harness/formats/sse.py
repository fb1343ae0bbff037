"""Server-sent events, as recorded: text to the JSON values of its `data:` lines."""

import re
from typing import Any

from plugin.harness.json_text import NotJson, loads

_END_OF_LINE = re.compile(r"\r\n|\r|\n")
_FIELD = re.compile(r"(?:data|event|id|retry)(?::|$)|:")


def looks_like_events(text: str) -> bool:
    """Whether text starts as an event stream does: a field name or a comment."""
    return _FIELD.match(text.lstrip("\ufeff \r\n")) is not None


def values(text: str) -> list[Any]:
    """The JSON values of a stream's events, `[DONE]` and keep-alives left out.

    Several `data:` lines of one event are one value, as the standard says. A last event that was
    cut off in the middle of its JSON is left out: the recording ends there.
    """
    events, data = [], []
    for line in [*_END_OF_LINE.split(text.removeprefix("\ufeff")), ""]:
        if line.startswith("data:"):
            data.append(line[5:].removeprefix(" "))
        elif not line and data:
            events.append("\n".join(data))
            data = []
    return [value for value in map(_decode, events) if value is not None]


def _decode(data: str) -> Any:
    try:
        return loads(data)
    except NotJson:
        return None
