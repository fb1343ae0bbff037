"""How a tool is told to the small model: one line of the tool, then the request."""

from collections.abc import Iterable, Mapping
from typing import Any

from plugin.engines.llama.chat_messages import plain
from plugin.engines.llama.words.message import is_cjk

_LONGEST_LINE = 1200
_LONGEST_REQUEST = 1200
_LONGEST_CHINESE = 400


def tool_messages(
    function: Mapping[str, Any], offered: Iterable[str], request: str
) -> list[dict[str, str]]:
    """The messages that ask the model for the arguments of a tool.

    The form is the one that a tool-calling adapter is trained on: `name: description. Arguments:
    a = …; b = …`, and the request as the user wrote it.
    """
    longest = _LONGEST_CHINESE if is_cjk(request) else _LONGEST_REQUEST
    return [
        {"role": "system", "content": plain(tool_line(function, offered))[:_LONGEST_LINE]},
        {"role": "user", "content": plain(request)[-longest:]},
    ]


def tool_line(function: Mapping[str, Any], offered: Iterable[str]) -> str:
    """One line of a tool, with the arguments that are offered."""
    parameters = function.get("parameters")
    declared = parameters.get("properties") if isinstance(parameters, Mapping) else None
    known = declared if isinstance(declared, Mapping) else {}
    arguments = "; ".join(f"{name} = {_about(known.get(name))}" for name in offered)
    about = str(function.get("description") or "").strip().rstrip(".")
    return f"{function['name']}: {about}. Arguments: {arguments}"


def _about(schema: Any) -> str:
    if not isinstance(schema, Mapping):
        return "anything"
    words = str(schema.get("description") or schema.get("type") or "a value")[:200]
    choices = schema.get("enum")
    if isinstance(choices, list) and choices:
        return f"{words} ({', '.join(map(str, choices[:20]))})"
    return words
