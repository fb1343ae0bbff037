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
        return any(map(_is_chunk, body)) and all(map(_may_be_chunk, body)) and _is_one_reply(body)
    return _is_chunk(body)


def _is_chunk(body: Any) -> bool:
    """A reply, whole or in part; one that was blocked before it began has no candidates."""
    body = mapping(body)
    return isinstance(body.get("candidates"), list) or "promptFeedback" in body


def _may_be_chunk(body: Any) -> bool:
    return _is_chunk(body) or "usageMetadata" in mapping(body)  # the last one may just count


def _is_one_reply(chunks: list[Any]) -> bool:
    """Chunks of one stream share its id; several replies in one list do not."""
    return len({str(chunk["responseId"]) for chunk in chunks if chunk.get("responseId")}) <= 1


def _replies(body: Any) -> Iterator[Calls]:
    chunks = body if isinstance(body, list) else [body]
    parts: dict[int, list[Any]] = {}
    for chunk in chunks:
        for position, candidate in enumerate(objects(chunk.get("candidates"))):
            content = mapping(candidate.get("content"))
            index = candidate.get("index")
            found = parts.setdefault(index if isinstance(index, int) else position, [])
            found.extend(objects(content.get("parts")))
    return (part_calls(parts.get(index)) for index in sorted(parts or {0: []}))


def _join(events: Sequence[Any]) -> list[Any]:
    return [event for event in events if _is_chunk(event)]


FORMAT = Format(
    name="gemini",
    recognises=_recognises,
    replies=_replies,
    recognises_event=_is_chunk,
    join=_join,
)
