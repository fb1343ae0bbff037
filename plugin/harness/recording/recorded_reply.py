"""A model's reply and the request it answers, as a row of a transcript: masked, nothing else."""

import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from plugin.contract.declared import read_tools
from plugin.harness import formats
from plugin.harness.fitting import Schema
from plugin.harness.formats import sse
from plugin.harness.formats.format import mapping
from plugin.harness.json_text import NotJson, loads
from plugin.harness.recording import masked_stream
from plugin.harness.recording.masking import Masker
from plugin.messages import Call

_ASKED = ("model", "tools", "functions", "tool_choice")
_REPLIES = frozenset({"openai_chat", "openai_legacy", "openai_responses", "anthropic", "gemini"})
_MODEL_IN_PATH = re.compile(r"/models/([^/:]+):")
_LAST_EVENT = re.compile(
    r"data: ?\[DONE\]|\"type\": ?\"(?:message_stop|response\.(?:completed|failed|incomplete))\""
)
_ARGUMENTS = ("arguments", "input", "args")
_ASIDE = "\x00aside "
"""Marks where a part was set aside; no service sends such a text."""


class NotAReply(Exception):  # noqa: N818 - it says what is wrong
    """What was answered is no reply of a model, or one that cannot be read; says why."""


@dataclass(frozen=True, slots=True)
class Body:
    """A body as it came over the wire, and how it was packed (`content-encoding`)."""

    content: bytes
    encoding: str = ""

    def text(self, limit: int) -> str:
        """The body as text; raises NotAReply if it cannot be unpacked or is over `limit` bytes."""
        match self.encoding.strip().lower():
            case "" | "identity":
                content = self.content
            case "gzip" | "x-gzip" | "deflate":
                content = _unpacked(self.content, limit)
            case other:
                raise NotAReply(f"it is packed as {other}, which is not read")
        try:
            return content.decode()
        except UnicodeDecodeError:
            raise NotAReply("it is not text") from None


def has_ended(text: str) -> bool:
    """Whether a piece of an event stream holds the event after which nothing comes."""
    return _LAST_EVENT.search(text) is not None


def make_row(
    path: str, request: Body, response: Body, masker: Masker, limit: int
) -> dict[str, Any]:
    """`{"request": …, "response": …}`; raises NotAReply where a model said nothing."""
    asked = mapping(_json(request.text(limit)))
    text = response.text(limit)
    streamed = sse.looks_like_events(text)
    events = sse.values(text) if streamed else []
    body = formats.join(events) if streamed else _json(text)
    known = formats.recognise(body)
    if known is None or known.name not in _REPLIES:
        raise NotAReply("it is no reply of a model")
    if any(
        mapping(event).get("error") or mapping(event).get("type") == "error" for event in events
    ):
        raise NotAReply("the provider broke it off with an error")
    calls = [call for reply in known.replies(body) for call in reply]
    reply = _Reply(masker, read_tools([asked, _declared(body)]), calls)
    return {
        "request": _request(path, asked, masker),
        "response": reply.stream(text) if streamed else reply.value(body),
    }


def _request(path: str, asked: Mapping[str, Any], masker: Masker) -> dict[str, Any]:
    kept = {key: asked[key] for key in _ASKED if key in asked}
    for key, value in kept.items():
        kept[key] = masker.tools(value) if key in ("tools", "functions") else masker.value(value)
    named = _MODEL_IN_PATH.search(path)  # Gemini's clients name it there
    return {"model": named[1], **kept} if named else kept


class _Reply:
    """One reply on its way through the masker, with the schemas of the tools it may call."""

    def __init__(self, masker: Masker, tools: Mapping[str, Any], calls: list[Call]) -> None:
        self._masker = masker
        self._schemas = {name: Schema(name, schema) for name, schema in tools.items()}
        self._called = {
            call.arguments: self._schemas.get(call.name)
            for call in calls
            if isinstance(call.arguments, str) and call.arguments
        }

    def stream(self, text: str) -> str:
        """An event stream, masked."""
        return masked_stream.mask(text, self._text, self.value)

    def _text(self, text: str) -> str:
        if text in self._called:
            return self._masker.arguments_text(self._called[text], text)
        return self._masker.text(text)

    def value(self, value: Any) -> Any:
        """A body or an event, masked; arguments so that they fit their tool's schema as before."""
        set_aside: list[Any] = []
        without = self._calls(value, set_aside)
        return _restored(self._masker.value(without), set_aside)

    def _calls(self, value: Any, set_aside: list[Any]) -> Any:
        """The value with what has a schema of its own masked and set aside."""
        if isinstance(value, list):
            return [self._calls(part, set_aside) for part in value]
        if not isinstance(value, dict):
            return value
        kept = {}
        for key, part in value.items():
            masked = self._by_schema(value, key, part)
            if masked is None:
                kept[key] = self._calls(part, set_aside)
            else:
                kept[key] = f"{_ASIDE}{len(set_aside)}"
                set_aside.append(masked)
        return kept

    def _by_schema(self, holder: dict[str, Any], key: str, part: Any) -> Any:
        if key in ("tools", "functions") and isinstance(part, list):
            return self._masker.tools(part)
        if key not in _ARGUMENTS:
            return None
        schema = self._schemas.get(str(holder.get("name")))
        if isinstance(part, str) and part:
            return self._masker.arguments_text(schema or self._called.get(part), part)
        return self._masker.arguments(schema, part) if isinstance(part, dict) else None


def _restored(value: Any, set_aside: list[Any]) -> Any:
    if isinstance(value, list):
        return [_restored(part, set_aside) for part in value]
    if isinstance(value, dict):
        return {key: _restored(part, set_aside) for key, part in value.items()}
    if isinstance(value, str) and value.startswith(_ASIDE):
        number = value.removeprefix(_ASIDE)
        return set_aside[int(number)] if number.isdecimal() else value
    return value


def _declared(body: Any) -> Any:
    """The tools that a reply itself repeats, as the Responses API does."""
    return mapping(body).get("tools")


def _json(text: str) -> Any:
    try:
        return loads(text)
    except NotJson as error:
        raise NotAReply(f"it is not JSON: {error}") from None


def _unpacked(content: bytes, limit: int) -> bytes:
    # 32 added to the window: zlib finds out by itself whether it is gzip or zlib.
    unpacker = zlib.decompressobj(32 + zlib.MAX_WBITS)
    try:
        found = unpacker.decompress(content, limit + 1)
    except zlib.error as error:
        raise NotAReply(f"it cannot be unpacked: {error}") from None
    if len(found) > limit:
        raise NotAReply(f"it is larger than {limit} bytes")
    if not unpacker.eof:
        raise NotAReply("it cannot be unpacked: it is cut off")
    return found
