"""MCP: `tools/call` requests, of the 2025 revisions and of 2026-07-28 (whose `_meta` says more)."""

from collections.abc import Iterator
from typing import Any

from plugin.harness.formats.format import Calls, Format, identity, mapping, objects, text
from plugin.messages import Call


def _messages(body: Any) -> list[dict[str, Any]]:
    # 2025-03-26 allowed batches: a list of messages sent as one.
    return objects(body if isinstance(body, list) else [body])


def _recognises(body: Any) -> bool:
    messages = _messages(body)
    return bool(messages) and all(map(_is_message, messages))


def _is_message(message: dict[str, Any]) -> bool:
    """A request or notification; a recorded session holds the answers to them as well."""
    return "jsonrpc" in message and not message.keys().isdisjoint(("method", "result", "error"))


def _replies(body: Any) -> Iterator[Calls]:
    yield tuple(
        Call(identity(message.get("id")), text(params.get("name")), params.get("arguments"))
        for message in _messages(body)
        if message.get("method") == "tools/call"
        for params in (mapping(message.get("params")),)
    )


FORMAT = Format(name="mcp", recognises=_recognises, replies=_replies)
