"""A call with a mistake as the request that carries it, or why HTTP cannot carry the mistake.

In a path, a query, a header or a form all values are text: `"5"` and 5 arrive as the same. A
mistake that is gone on arrival has not been sent.
"""

from collections.abc import Iterator
from typing import Any

from plugin.contract.operation import Operation, Parameter
from plugin.contract.pointer import steps
from plugin.contract.requests.request import NotExpressible, Request, build
from plugin.contract.requests.styles import scalar
from plugin.harness.json_text import NotJson, loads
from plugin.harness.judge import Tool

_BOOLEANS = {"true": True, "false": False, "1": True, "0": False}


def request_with_mistake(operation: Operation, tool: Tool, arguments: Any, pointer: str) -> Request:
    """The request for arguments that are wrong at `pointer`: values, or text that is no JSON.

    Raises NotExpressible where the mistake cannot travel.
    """
    if isinstance(arguments, str):
        return _raw(operation, arguments)
    request = build(operation, arguments, keep_nulls=True)
    name = next(iter(steps(pointer)), "")
    if name in arguments and _travels_as_text(operation, name):
        for arrived in _arrivals(arguments, name):
            if not tool.faults(arrived):
                raise NotExpressible(name, "it travels as text, and as text it is right")
    return request


def _raw(operation: Operation, text: str) -> Request:
    """Text that is no JSON, as the body; it has no place beside parameters."""
    body = operation.body
    if body is None or not body.flat or not _is_json(body.media_type):
        raise NotExpressible("", "there is no JSON body in which it could be written")
    if operation.parameters:
        raise NotExpressible("", "some of the arguments are no part of the JSON body")
    headers = (("content-type", body.media_type),)
    return Request(operation.method, operation.path, "", headers, text.encode())


def in_path(operation: Operation, pointer: str) -> bool:
    """Whether the argument at a pointer is a part of the path."""
    parameter = _parameter(operation, next(iter(steps(pointer)), ""))
    return parameter is not None and parameter.location == "path"


def _parameter(operation: Operation, name: str) -> Parameter | None:
    return next((one for one in operation.parameters if one.argument == name), None)


def _travels_as_text(operation: Operation, name: str) -> bool:
    parameter = _parameter(operation, name)
    if parameter is not None:
        return parameter.media_type is None
    return operation.body is not None and not _is_json(operation.body.media_type)


def _is_json(media_type: str) -> bool:
    return media_type.endswith("json")


def _arrivals(arguments: dict[str, Any], name: str) -> Iterator[dict[str, Any]]:
    """The arguments as a service may read them from the wire."""
    value = arguments[name]
    if value is None:
        yield {key: part for key, part in arguments.items() if key != name}
    elif isinstance(value, list):
        items = [next(_readings(item), item) for item in value]
        yield {**arguments, name: items}
        if len(value) == 1:  # one item of a list and the value alone are written the same
            yield from ({**arguments, name: one} for one in _readings(value[0]))
    elif not isinstance(value, dict):
        for read in _readings(value):
            yield {**arguments, name: read}
            yield {**arguments, name: [read]}


def _readings(value: Any) -> Iterator[Any]:
    """What the text of a value can be read as, the most particular first."""
    if isinstance(value, dict | list) or value is None:
        return
    text = scalar(value)
    try:
        number = loads(text)
    except NotJson:
        number = None
    if isinstance(number, int | float) and not isinstance(number, bool):
        yield number
    if text.casefold() in _BOOLEANS:
        yield _BOOLEANS[text.casefold()]
    yield text
