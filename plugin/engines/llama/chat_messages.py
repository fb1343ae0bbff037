"""Messages of the GPT API as the embedded model's template reads them: three roles, plain text."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from plugin.errors import InvalidRequest

Message = Mapping[str, Any]

_ROLES = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant"}
_RESULTS = frozenset({"tool", "function"})
_TEXTS = {"text": "text", "refusal": "refusal", "input_text": "text", "output_text": "text"}
_MARKS = re.compile(r"<\|(?=(?:im_start|im_end|endoftext)\|>)")
_ANSWER = "Answer with this result."


def template_messages(messages: Sequence[Message]) -> list[dict[str, str]]:
    """The messages with role system, user or assistant and a text.

    The template knows no tools: an assistant's calls are left out, and their results are told as
    the user's words, which this model follows better than any other way that was tried.
    """
    return [{"role": role, "content": plain(content)} for role, content in _told(messages)]


def plain(text: str) -> str:
    """Text that ends no message of the model's template."""
    return _MARKS.sub("< |", text)


def _told(messages: Sequence[Message]) -> Iterator[tuple[str, str]]:
    calls: dict[str, str] = {}
    results: list[str] = []
    for index, message in enumerate(messages):
        text = text_of(message.get("content"), f"messages[{index}].content")
        calls.update(_calls(message))
        if message["role"] in _RESULTS:
            results.append(f"{_called(message, calls)} returned: {text}")
            continue
        if results:
            yield "user", "\n".join([*results, _ANSWER])
            results = []
        if text or not _calls(message):
            yield _ROLES.get(message["role"], "user"), text
    if results:
        yield "user", "\n".join([*results, _ANSWER])


def _calls(message: Message) -> dict[str, str]:
    """The calls of a message, as text, by the id or name that their results refer to."""
    found = {}
    for call in message.get("tool_calls") or ():
        function = call.get("function") or call.get("custom") or {}
        said = function.get("arguments", function.get("input", ""))
        found[call.get("id", "")] = f"{function.get('name', 'The tool')}({said})"
    old = message.get("function_call")
    if old:
        found[old["name"]] = f"{old['name']}({old.get('arguments', '')})"
    return found


def _called(message: Message, calls: Mapping[str, str]) -> str:
    name = message.get("name") or ""
    return calls.get(message.get("tool_call_id") or name) or name or "The tool"


def text_of(content: Any, param: str = "messages") -> str:
    """The text of a message's content; raises `InvalidRequest` for a part that is no text."""
    if content is None or isinstance(content, str):
        return content or ""
    return "".join(_part(part, param) for part in content)


def _part(part: Any, param: str) -> str:
    if isinstance(part, str):
        return part
    kind = part.get("type")
    if kind not in _TEXTS:
        raise InvalidRequest(
            f"The embedded model reads text only, not a part of type {str(kind)[:50]!r}. Ask a "
            "model of an upstream (PLUGIN_UPSTREAMS) for images, audio and files.",
            param=param,
        )
    return str(part.get(_TEXTS[kind]) or "")
