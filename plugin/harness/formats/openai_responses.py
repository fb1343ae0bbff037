"""OpenAI's Responses API, whole and streamed: the `function_call` items of an output."""

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


def item_call(item: dict[str, Any]) -> Call | None:
    """The call that an output item is, or None.

    `mcp_call`, `web_search_call` and their like are calls that the provider ran itself.
    """
    match item.get("type"):
        case "function_call":
            arguments = item.get("arguments")
        case "custom_tool_call":
            arguments = item.get("input")
        case _:
            return None
    return Call(identity(item.get("call_id")), text(item.get("name")), arguments)


def _recognises(body: Any) -> bool:
    body = mapping(body)
    return isinstance(body.get("output"), list) and (
        body.get("object") == "response"
        or any("type" in item for item in objects(body["output"]))
        or not body["output"]
    )


def _replies(body: dict[str, Any]) -> Iterator[Calls]:
    calls = (item_call(item) for item in objects(body["output"]))
    yield tuple(call for call in calls if call is not None)


def _is_event(event: Any) -> bool:
    return text(mapping(event).get("type")).startswith("response.")


def _join(events: Sequence[Any]) -> dict[str, Any]:
    for event in reversed(events):
        response = mapping(mapping(event).get("response"))
        if response.get("output"):
            return response
    return {"object": "response", "output": _items(events), "tools": _tools(events)}


def _items(events: Sequence[Any]) -> list[dict[str, Any]]:
    """The output of a stream that has no complete response at its end."""
    items: dict[int | str | None, dict[str, Any]] = {}
    for event in objects(list(events)):
        place = _place(event)
        match event.get("type"):
            case "response.output_item.added" | "response.output_item.done":
                items[place] = dict(mapping(event.get("item")))
            case "response.function_call_arguments.delta" if place in items:
                _append(items[place], "arguments", event)
            case "response.function_call_arguments.done" if place in items:
                items[place]["arguments"] = event.get("arguments")
            case "response.custom_tool_call_input.delta" if place in items:
                _append(items[place], "input", event)
            case "response.custom_tool_call_input.done" if place in items:
                items[place]["input"] = event.get("input")
    return list(items.values())


def _place(event: dict[str, Any]) -> int | str | None:
    """What tells one item's events from another's: its place in the output, else its id."""
    place = position(event.get("output_index"))
    if place is not None:
        return place
    return identity(event.get("item_id") or mapping(event.get("item")).get("id"))


def _append(item: dict[str, Any], key: str, event: dict[str, Any]) -> None:
    item[key] = text(item.get(key)) + text(event.get("delta"))


def _tools(events: Sequence[Any]) -> Any:
    responses = (mapping(mapping(event).get("response")) for event in events)
    return next((response["tools"] for response in responses if response.get("tools")), None)


FORMAT = Format(
    name="openai_responses",
    recognises=_recognises,
    replies=_replies,
    recognises_event=_is_event,
    join=_join,
)
