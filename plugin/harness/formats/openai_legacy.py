"""OpenAI's first function calling: the one `function_call` of a message."""

from collections.abc import Iterator
from typing import Any

from plugin.harness.formats.format import Calls, Format, mapping, text
from plugin.harness.formats.openai_chat import choice_messages, is_completion
from plugin.messages import Call


def message_calls(message: dict[str, Any]) -> Calls:
    """The call of one assistant message, if it names a function."""
    function = mapping(message.get("function_call"))
    name = text(function.get("name"))
    return (Call(None, name, function.get("arguments")),) if name else ()


def _recognises(body: Any) -> bool:
    if not is_completion(body):
        return False
    messages = choice_messages(body)
    return any(isinstance(message.get("function_call"), dict) for message in messages) and not any(
        message.get("tool_calls") for message in messages
    )


def _replies(body: dict[str, Any]) -> Iterator[Calls]:
    return (message_calls(message) for message in choice_messages(body))


FORMAT = Format(name="openai_legacy", recognises=_recognises, replies=_replies)
"""Streams are joined by `openai_chat`, whose chunks they share; the joined body comes here."""
