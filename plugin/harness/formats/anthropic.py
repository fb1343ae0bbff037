"""Anthropic messages, whole and streamed: the `tool_use` blocks of a content."""

from collections.abc import Iterator, Sequence
from typing import Any

from plugin.harness.formats.format import (
    Calls,
    Format,
    identity,
    mapping,
    objects,
    position,
    text,
)
from plugin.messages import Call

_EVENTS = frozenset(
    {
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    }
)


def content_calls(content: Any) -> Calls:
    """The calls among content blocks; a `server_tool_use` is one that the provider ran itself."""
    return tuple(
        Call(identity(block.get("id")), text(block.get("name")), block.get("input"))
        for block in objects(content)
        if block.get("type") == "tool_use"
    )


def _recognises(body: Any) -> bool:
    body = mapping(body)
    return isinstance(body.get("content"), list) and (
        body.get("type") == "message" or "stop_reason" in body
    )


def _replies(body: dict[str, Any]) -> Iterator[Calls]:
    yield content_calls(body["content"])


def _is_event(event: Any) -> bool:
    return text(mapping(event).get("type")) in _EVENTS


def _join(events: Sequence[Any]) -> dict[str, Any]:
    blocks: list[dict[str, Any]] = []
    open_at: dict[int | None, dict[str, Any]] = {}
    for event in objects(list(events)):
        index = position(event.get("index"))
        if event.get("type") == "content_block_start":
            open_at[index] = dict(mapping(event.get("content_block")))
            blocks.append(open_at[index])
        elif event.get("type") == "content_block_delta" and index in open_at:
            _append(open_at[index], mapping(event.get("delta")))
    return {"type": "message", "content": blocks}


def _append(block: dict[str, Any], delta: dict[str, Any]) -> None:
    # A block starts with the input {}; the pieces that follow are its text. No piece, no text.
    piece = text(delta.get("partial_json"))
    if delta.get("type") == "input_json_delta" and piece:
        block["input"] = text(block.get("input")) + piece


FORMAT = Format(
    name="anthropic",
    recognises=_recognises,
    replies=_replies,
    recognises_event=_is_event,
    join=_join,
)
