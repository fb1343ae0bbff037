"""The harness's own shape, as `plugin judge --json` prints it: `{"calls": [{"name", …}]}`."""

from collections.abc import Iterator
from typing import Any

from plugin.harness.formats.format import Calls, Format, identity, mapping, objects
from plugin.messages import Call


def _recognises(body: Any) -> bool:
    calls = mapping(body).get("calls")
    return isinstance(calls, list) and all(
        isinstance(call, dict) and isinstance(call.get("name"), str) for call in calls
    )


def _replies(body: dict[str, Any]) -> Iterator[Calls]:
    yield tuple(
        Call(identity(call.get("id")), call["name"], call.get("arguments"))
        for call in objects(body["calls"])
    )


FORMAT = Format(name="calls", recognises=_recognises, replies=_replies)
