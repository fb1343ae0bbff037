"""Replies of the GPT API as a terminal shows them: texts as texts, all else as JSON."""

import json
import re
import sys
from collections.abc import Iterable, Iterator
from io import TextIOWrapper
from typing import Any

from plugin.cli.gpt_api.api_verbs import Shown

_STEERING = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_NUMBERS = re.compile(r"\[\s+(-?[\d.eE+-]+(?:,\s+-?[\d.eE+-]+)*)\s+\]")


class Printer:
    """Writes texts as they come; `end` closes the last line."""

    def __init__(self) -> None:
        # A terminal of another encoding shows a question mark rather than a stack trace.
        if isinstance(sys.stdout, TextIOWrapper):
            sys.stdout.reconfigure(errors="replace")
        self._watched = sys.stdout.isatty()
        self._line_is_open = False

    def write(self, text: str) -> None:
        """Show at once. What steers a terminal is left out where one is looking on."""
        if text:
            sys.stdout.write(_STEERING.sub("", text) if self._watched else text)
            sys.stdout.flush()
            self._line_is_open = not text.endswith("\n")

    def end(self) -> None:
        """Close the line, if it is open."""
        if self._line_is_open:
            self.write("\n")


def print_reply(reply: Any, shown: Shown, printer: Printer) -> None:
    """A whole reply: the texts of its choices, or all of it."""
    choices = reply.get("choices") if isinstance(reply, dict) else None
    if shown is Shown.OBJECT or not isinstance(choices, list):
        printer.write(_pretty(reply) + "\n")
        return
    title = "Chat Completion" if shown is Shown.CHAT else "Completion"
    for choice in choices:
        if len(choices) > 1:
            printer.write(f"===== {title} {choice.get('index')} =====\n")
        printer.write(_text(choice))
        printer.end()


def print_events(events: Iterable[dict[str, Any]], printer: Printer) -> None:
    """A stream's text, piece by piece; calls of tools when they are whole."""
    calls: dict[int, dict[str, str]] = {}
    try:
        for choice in _choices(events):
            delta = choice.get("delta") or choice
            printer.write(delta.get("content") or delta.get("text") or delta.get("refusal") or "")
            _collect(calls, delta)
        for call in calls.values():
            printer.end()
            printer.write(f"{call['name']}({call['arguments']})\n")
    finally:
        printer.end()


def pieces(events: Iterable[dict[str, Any]]) -> Iterator[tuple[str, str | None]]:
    """The text of a streamed chat, with the reason of its end where it ends."""
    for choice in _choices(events):
        yield (choice.get("delta") or {}).get("content") or "", choice.get("finish_reason")


def _choices(events: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for event in events:
        yield from event.get("choices") or ()


def _text(choice: dict[str, Any]) -> str:
    message = choice.get("message")
    if not isinstance(message, dict):
        return str(choice.get("text") or "")
    said = [message.get("content") or message.get("refusal") or ""]
    called = [call.get("function") or {} for call in message.get("tool_calls") or ()]
    called += [message["function_call"]] if message.get("function_call") else []
    said += [f"{call.get('name')}({call.get('arguments')})" for call in called]
    return "\n".join(part for part in said if part)


def _collect(calls: dict[int, dict[str, str]], delta: dict[str, Any]) -> None:
    for piece in delta.get("tool_calls") or ():
        call = calls.setdefault(piece.get("index", 0), {"name": "", "arguments": ""})
        for name, value in (piece.get("function") or {}).items():
            call[name] = call.get(name, "") + (value or "")


def _pretty(reply: Any) -> str:
    """Readable JSON; a vector stays on one line."""
    text = json.dumps(reply, indent=2, ensure_ascii=False)
    return _NUMBERS.sub(lambda found: f"[{' '.join(found[1].split())}]", text)
