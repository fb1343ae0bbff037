"""OpenAI chat completions, whole and streamed: `tool_calls` of a message, one reply a choice."""

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


def message_calls(message: dict[str, Any]) -> Calls:
    """The calls of one assistant message. A custom tool's input is its arguments."""
    return tuple(_call(entry) for entry in objects(message.get("tool_calls")) if _function(entry))


def _function(entry: dict[str, Any]) -> dict[str, Any]:
    """Where a call's name and arguments stand: some servers fill the other place with blanks.

    LangChain writes them into the entry itself (`name`, `args`).
    """
    places = [mapping(entry.get("function")), mapping(entry.get("custom"))]
    if "name" in entry:
        places.append(entry)
    named = (place for place in places if place.get("name"))
    return next(named, next(filter(None, places), {}))


def _call(entry: dict[str, Any]) -> Call:
    function = _function(entry)
    written = (function[key] for key in ("arguments", "input", "args") if key in function)
    return Call(identity(entry.get("id")), text(function.get("name")), next(written, None))


def is_completion(body: Any) -> bool:
    """Whether a body is a chat completion: choices that carry messages."""
    choices = objects(mapping(body).get("choices"))
    return any("message" in choice for choice in choices) or (
        not choices and mapping(body).get("object") == "chat.completion"
    )


def choice_messages(body: dict[str, Any]) -> list[dict[str, Any]]:
    """The message of each choice; a reply without choices is one that says nothing."""
    return [mapping(choice.get("message")) for choice in objects(body.get("choices"))] or [{}]


def _replies(body: dict[str, Any]) -> Iterator[Calls]:
    return (message_calls(message) for message in choice_messages(body))


def _is_chunk(event: Any) -> bool:
    return mapping(event).get("object") == "chat.completion.chunk" or any(
        "delta" in choice for choice in objects(mapping(event).get("choices"))
    )


def _join(events: Sequence[Any]) -> dict[str, Any]:
    messages: dict[int, _Message] = {}
    for event in events:
        for choice in objects(mapping(event).get("choices")):
            message = messages.setdefault(position(choice.get("index")) or 0, _Message())
            message.add(mapping(choice.get("delta")))
    ordered = [messages[index] for index in sorted(messages)]
    return {"choices": [{"message": message.whole()} for message in ordered]}


class _Message:
    """One choice of a stream, put together from its deltas."""

    def __init__(self) -> None:
        self._calls: list[dict[str, Any]] = []
        self._by_index: dict[int | None, dict[str, Any]] = {}
        self._function_call: dict[str, Any] | None = None

    def add(self, delta: dict[str, Any]) -> None:
        for piece in objects(delta.get("tool_calls")):
            self._add_call(piece)
        legacy = delta.get("function_call")
        if isinstance(legacy, dict):
            self._function_call = self._function_call or {"name": "", "arguments": None}
            _append(self._function_call, legacy)

    def _add_call(self, piece: dict[str, Any]) -> None:
        function = _function(piece)
        index, call_id = position(piece.get("index")), identity(piece.get("id"))
        call = self._current(index, call_id, function)
        _append(call["function"], function)

    def _current(
        self, index: int | None, call_id: str | None, function: dict[str, Any]
    ) -> dict[str, Any]:
        # Some servers leave the index out, or give 0 to each of several parallel calls: then a new
        # id (or, without ids, a name after arguments) is what starts a call.
        call = self._by_index.get(index)
        if call is None or _starts_another(call, call_id, function):
            call = {"id": call_id, "function": {"name": "", "arguments": None}}
            self._by_index[index] = call
            self._calls.append(call)
        call["id"] = call["id"] or call_id
        return call

    def whole(self) -> dict[str, Any]:
        begun = [call for call in self._calls if any(call["function"].values())]
        return {"tool_calls": begun, "function_call": self._function_call}


def _starts_another(call: dict[str, Any], call_id: str | None, function: dict[str, Any]) -> bool:
    if call_id is not None and call["id"] is not None:
        return bool(call_id != call["id"])
    return call_id is None and bool(function.get("name")) and bool(call["function"]["arguments"])


def _append(function: dict[str, Any], piece: dict[str, Any]) -> None:
    name = text(piece.get("name"))
    if name != function["name"]:  # some servers repeat the whole name in each piece
        function["name"] += name
    arguments = piece.get("arguments", piece.get("input"))
    if isinstance(arguments, str):
        function["arguments"] = (function["arguments"] or "") + arguments
    elif arguments is not None:
        function["arguments"] = arguments


FORMAT = Format(
    name="openai_chat",
    recognises=is_completion,
    replies=_replies,
    recognises_event=_is_chunk,
    join=_join,
)
