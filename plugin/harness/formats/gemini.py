"""Gemini, whole and streamed: the `functionCall` parts of a candidate, one reply a candidate."""

from collections.abc import Iterator, Sequence
from typing import Any

from plugin.harness.formats.format import Calls, Format, identity, mapping, objects, text
from plugin.messages import Call


def part_calls(parts: Any) -> Calls:
    """The calls among content parts; a `toolCall` is one that the provider ran itself."""
    functions = (
        part.get("functionCall") or part.get("function_call")  # the Python SDK dumps snake_case
        for part in objects(parts)
    )
    return tuple(
        Call(identity(function.get("id")), text(function.get("name")), function.get("args"))
        for function in functions
        if isinstance(function, dict)
    )


def _recognises(body: Any) -> bool:
    if isinstance(body, list):
        return bool(body) and all(_recognises(item) for item in body)
    return isinstance(mapping(body).get("candidates"), list)


def _replies(body: Any) -> Iterator[Calls]:
    chunks = body if isinstance(body, list) else [body]
    parts: dict[int, list[Any]] = {}
    for chunk in chunks:
        for position, candidate in enumerate(objects(chunk["candidates"])):
            content = mapping(candidate.get("content"))
            index = candidate.get("index")
            found = parts.setdefault(index if isinstance(index, int) else position, [])
            found.extend(objects(content.get("parts")))
    return (part_calls(parts[index]) for index in sorted(parts))


def _is_event(event: Any) -> bool:
    return isinstance(mapping(event).get("candidates"), list)


def _join(events: Sequence[Any]) -> list[Any]:
    return [event for event in events if _is_event(event)]


FORMAT = Format(
    name="gemini",
    recognises=_recognises,
    replies=_replies,
    recognises_event=_is_event,
    join=_join,
)
