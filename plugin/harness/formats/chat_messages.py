"""A list of chat messages, as agents log them: one reply for each assistant message.

A message may be in any provider's shape, and the list may lie under a key of the row (`messages`,
`traj`, …): what counts is that its items have roles.
"""

from collections.abc import Iterator
from typing import Any

from plugin.harness.formats import anthropic, gemini, openai_chat, openai_legacy, openai_responses
from plugin.harness.formats.format import Calls, Format, mapping, objects, text

_SPEAKERS = frozenset({"assistant", "model"})


def _is_item(value: Any) -> bool:
    item = mapping(value)
    # Items of the Responses API stand beside messages, and are told apart by a type.
    return isinstance(item.get("role"), str) or isinstance(item.get("type"), str)


def _is_list(value: Any) -> bool:
    return (
        isinstance(value, list)
        and all(map(_is_item, value))
        and any("role" in item or openai_responses.item_call(item) for item in value)
    )


def find(body: Any) -> list[dict[str, Any]] | None:
    """The list of messages that a row is, or has under one of its keys."""
    if _is_list(body):
        return list(body)
    lists = [value for value in mapping(body).values() if _is_list(value)]
    return next(filter(_speaks, lists), lists[0] if lists else None)


def _speaks(items: list[dict[str, Any]]) -> bool:
    """Whether the model says something in this list; a prompt may stand beside its completion."""
    return any(
        text(item.get("role")) in _SPEAKERS or openai_responses.item_call(item) for item in items
    )


def _recognises(body: Any) -> bool:
    return find(body) is not None or text(mapping(body).get("role")) in _SPEAKERS


def _replies(body: Any) -> Iterator[Calls]:
    pending: list[Any] = []  # Responses items stand beside the messages, not inside them
    for item in find(body) or [body]:
        call = openai_responses.item_call(item)
        if call is not None:
            pending.append(call)
        elif text(item.get("role")) in _SPEAKERS:
            yield from _flush(pending)
            yield _message_calls(item)
        elif "role" in item or text(item.get("type")).endswith("_output"):
            yield from _flush(pending)
    yield from _flush(pending)


def _flush(pending: list[Any]) -> Iterator[Calls]:
    if pending:
        yield tuple(pending)
        pending.clear()


def _message_calls(message: dict[str, Any]) -> Calls:
    return (
        openai_chat.message_calls(message)
        or openai_legacy.message_calls(message)
        or anthropic.content_calls(message.get("content"))
        or gemini.part_calls(objects(message.get("parts")))
    )


FORMAT = Format(name="messages", recognises=_recognises, replies=_replies)
