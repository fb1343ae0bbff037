"""What the embedded engine answers instead of a result, as an error for the caller."""

import re
from collections.abc import Mapping
from typing import Any

import orjson

from plugin.errors import (
    ContextLengthExceeded,
    EngineUnavailable,
    InvalidRequest,
    PluginError,
)
from plugin.trail import happened

_RETRY = {"retry-after": "1"}
_LONGEST = 500
"""Characters of the engine's own text that are passed on."""

_TOO_LARGE = re.compile(r"\((\d+) tokens\) is too large to process")
"""What the vectors' server says of a text that is longer than all of its slots together."""

_VECTORS_CONTEXT = 512


def unavailable(detail: str) -> EngineUnavailable:
    """The engine is not there; `detail` says why."""
    return EngineUnavailable(detail, headers=_RETRY)


class BrokenOff(EngineUnavailable):
    """The engine went away in the middle of its work: it may be asked once more."""


def broken_off() -> BrokenOff:
    """The engine went away in the middle of its work."""
    happened("engine stopped")
    return BrokenOff(
        "The embedded engine stopped while it answered. That is this service's side; it is started "
        "again by itself: try again.",
        headers=_RETRY,
    )


def left_the_schema() -> EngineUnavailable:
    """The engine wrote what its grammar does not let through."""
    return unavailable(
        "The embedded engine did not keep to the schema. That is this service's side: try again."
    )


def stopped_twice(param: str) -> InvalidRequest:
    """The engine stopped under a grammar, alone with it the second time."""
    return InvalidRequest(
        "The embedded engine stopped twice while it followed this schema. Simplify it, or ask a "
        "model of an upstream (PLUGIN_UPSTREAMS).",
        param=param,
    )


def refusal(status: int, content: bytes, param: str | None = None) -> PluginError:
    """The error for an answer that is not 200."""
    try:
        told = orjson.loads(content)["error"]
    except (ValueError, TypeError, KeyError):
        told = {}
    return told_refusal(told if isinstance(told, Mapping) else {}, status, param or "messages")


def told_refusal(
    told: Mapping[str, Any], status: int = 500, param: str = "messages"
) -> PluginError:
    """The error for the `error` object of the engine."""
    text = str(told.get("message", ""))[:_LONGEST]
    if told.get("type") == "exceed_context_size_error":
        return too_long(told.get("n_prompt_tokens"), told.get("n_ctx"), param)
    too_large = _TOO_LARGE.search(text)
    if too_large:
        return too_long(too_large[1], _VECTORS_CONTEXT, param)
    if status == 400 or told.get("code") == 400:  # noqa: PLR2004
        return InvalidRequest(f"The embedded model cannot carry this out: {text}")
    return unavailable(f"The embedded engine failed: {text or f'status {status}'}. Try again.")


def too_long(tokens: Any, context: Any, param: str = "messages") -> ContextLengthExceeded:
    """The prompt has more tokens than fit."""
    return ContextLengthExceeded(
        f"This model's maximum context length is {context} tokens. However, your {param} resulted "
        f"in {tokens} tokens. Please reduce the length of the {param}.",
        param=param,
    )
