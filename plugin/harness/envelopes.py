"""What recorders put around a reply: a request beside it, keys, text, lists of chunks."""

from collections.abc import Iterator
from itertools import chain
from typing import Any

from plugin.harness import formats
from plugin.harness.formats import mcp, sse
from plugin.harness.formats.format import mapping, objects
from plugin.harness.json_text import NotJson, loads

_REPLIES = (
    *("response", "res", "response_body", "answer", "output", "completion"),
    *("result", "message", "body", "content", "data", "text", "string", "chunks", "events"),
)
"""Keys under which recorders (proxies, cassettes, HAR and batch files) keep what was answered."""

_REQUESTS = ("request", "req", "request_body", "body", "postData", "text", "string", "params")
"""Keys under which they keep what was asked."""

_DEPTH = 4


def reply(row: Any) -> Any:
    """What the model answered in a row, whatever is around it; the row itself if nothing fits."""
    request = mapping(row).get("request")
    if mcp.FORMAT.recognises(request):  # in MCP the call is the request
        return request
    found = _found(row, 0)
    if found is not None:
        return found
    asked = _decoded(request)
    return asked if formats.recognise(asked) else _nearest(row)


def declared(row: Any, body: Any) -> tuple[Any, ...] | None:
    """All tools that a row shows the model: requested, echoed, or found by a search."""
    places = [*_places(row, 0), *([] if body is row else [mapping(body)])]
    places += [
        item
        for item in objects(mapping(body).get("output"))
        if item.get("type") in ("tool_search_output", "mcp_list_tools")
    ]
    found = [
        place[key] for place in places for key in ("tools", "functions", "function") if key in place
    ]
    # Gemini's clients may send one group of functions without the list around it.
    lists = [[entries] if isinstance(entries, dict) else entries for entries in found]
    lists = [entries for entries in lists if isinstance(entries, list)]
    return tuple(chain.from_iterable(lists)) if lists else None


def _found(value: Any, depth: int) -> Any:
    """The reply in a value: under a key that says so before what the value itself looks like."""
    value = _decoded(value)
    known = formats.recognise(value)
    # The keys of a provider's own answer are not a recorder's; messages may lie beside one.
    whole = known is not None and known.name != "messages"
    if isinstance(value, dict) and depth < _DEPTH and not whole:
        for key in _REPLIES:
            if isinstance(value.get(key), dict | list | str):
                inner = _found(value[key], depth + 1)
                if inner is not None:
                    return inner
    return value if known else None


def _nearest(row: Any) -> Any:
    """What to complain about: the recorded response if there is one."""
    response = mapping(row).get("response")
    return _decoded(row if response is None else response)


def _decoded(value: Any) -> Any:
    """Text decoded, a list of chunks joined; anything else as it is."""
    if isinstance(value, str):
        return _from_text(value)
    return _joined(value) if isinstance(value, list) else value


def _joined(items: list[Any]) -> Any:
    if formats.recognise(items) is not None:
        return items
    if items and all(isinstance(item, str) for item in items):
        return _from_text("".join(items))
    return formats.join(items) if formats.are_events(items) else items


def _from_text(text: str) -> Any:
    if sse.looks_like_events(text):
        events = sse.values(text)
        body = formats.join(events)
        failures = (event for event in events if mapping(event).get("error"))
        return next(failures, text) if body is None else body
    try:
        return loads(text)
    except NotJson:
        return text


def _places(value: Any, depth: int) -> Iterator[dict[str, Any]]:
    """The row and the objects of its request, in which tools may be declared."""
    if isinstance(value, str) and value.lstrip().startswith("{"):
        value = _from_text(value)
    if not isinstance(value, dict):
        return
    yield value
    for key in _REQUESTS if depth < _DEPTH else ():
        if key in value and (depth or key.startswith("req")):
            yield from _places(value[key], depth + 1)
