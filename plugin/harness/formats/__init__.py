"""The transcript formats: one module each; which one a body is of is found from the body itself."""

from typing import Any

from plugin.harness.formats import (
    anthropic,
    chat_messages,
    gemini,
    judged,
    mcp,
    openai_chat,
    openai_legacy,
    openai_responses,
)
from plugin.harness.formats.format import Format

FORMATS: tuple[Format, ...] = (
    openai_legacy.FORMAT,
    openai_chat.FORMAT,
    openai_responses.FORMAT,
    anthropic.FORMAT,
    gemini.FORMAT,
    mcp.FORMAT,
    judged.FORMAT,
    chat_messages.FORMAT,
)
"""From the most to the least particular: the first that recognises a body reads it."""


def recognise(body: Any) -> Format | None:
    """The format of a decoded body, or None."""
    return next((known for known in FORMATS if known.recognises(body)), None)


def are_events(items: list[Any]) -> bool:
    """Whether a list is the events of one stream: each of the same format, none a whole reply."""
    if not items or any(recognise(item) for item in items):
        return False
    known = (one.recognises_event for one in FORMATS if one.recognises_event)
    return any(all(map(recognises, items)) for recognises in known)


def join(events: list[Any]) -> Any:
    """The body that a stream's events add up to, or None if no format knows the events."""
    for known in FORMATS:
        if known.join and known.recognises_event and any(map(known.recognises_event, events)):
            return known.join(events)
    return None
