"""OpenAI's Responses API, whole and streamed: the `function_call` items of an output."""

from collections.abc import Iterator, Sequence
from typing import Any

from plugin.harness.formats.format import Calls, Format, identity, mapping, objects, text
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
    items: dict[Any, dict[str, Any]] = {}
    for event in objects(list(events)):
        index = event.get("output_index")
        match event.get("type"):
            case "response.output_item.added" | "response.output_item.done":
                items[index] = dict(mapping(event.get("item")))
            case "response.function_call_arguments.delta" if index in items:
                written = text(items[index].get("arguments"))
                items[index]["arguments"] = written + text(event.get("delta"))
            case "response.function_call_arguments.done" if index in items:
                items[index]["arguments"] = event.get("arguments")
    return list(items.values())


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
