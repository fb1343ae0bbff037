"""What is sent to an upstream: the caller's request with the engine's own name of the model."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from plugin.engines.engine import JSON, Ask, Upload
from plugin.errors import InvalidRequest

_COUNTED = frozenset({"chat/completions", "completions"})
"""Endpoints whose streams tell their usage when they are asked to."""

_TEXTS = (
    "messages",
    "prompt",
    "input",
    "content",
    "text",
    "reasoning_content",
    "refusal",
    "tool_calls",
    "function_call",
    "function",
    "arguments",
)
_BYTES_OF_A_TOKEN = 4

_BOUNDARY = re.compile(r'boundary="?([^";\s]+)"?', re.IGNORECASE)
_MODEL_FIELD = re.compile(
    rb'content-disposition:[^\r\n]*;\s*name="?model"?\s*(?:;|\r?\n)', re.IGNORECASE
)
_END_OF_HEAD = b"\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Sending:
    """A request as it goes out. `adds_usage`: the caller did not ask for the count, but we do."""

    body: bytes
    content_type: str
    adds_usage: bool = False


def prepare(ask: Ask, *, count: bool) -> Sending:
    """The request to send; `count`: streams are asked for their usage in any case.

    Raises `InvalidRequest` for values that no JSON text can carry.
    """
    if ask.upload is not None:
        return Sending(named(ask.upload, ask.requested, ask.model), ask.upload.content_type)
    body: dict[str, Any] = {**ask.body, "model": ask.model}
    options = body.get("stream_options") or {}
    adds = count and ask.stream and ask.path in _COUNTED and not options.get("include_usage", False)
    if adds:
        body["stream_options"] = {**options, "include_usage": True}
    try:
        return Sending(orjson.dumps(body), JSON, adds)
    except TypeError as error:
        raise InvalidRequest(
            "The request holds a value that JSON cannot carry (half a surrogate pair, or an "
            "integer over 64 bits); send another one."
        ) from error


def choices_asked(body: Mapping[str, Any]) -> int:
    """How many choices a request of `choices` is answered with: `n` for each prompt."""
    number, prompt = body.get("n") or 1, body.get("prompt")
    prompts = len(prompt) if isinstance(prompt, list) and not _is_tokens(prompt) else 1
    return (number if isinstance(number, int) else 1) * max(1, prompts)


def _is_tokens(prompt: list[Any]) -> bool:
    return bool(prompt) and isinstance(prompt[0], int)


def guessed_tokens(body: Mapping[str, Any]) -> int:
    """About how many tokens the texts of a request are, images and the like left out."""
    return -(-_length(body) // _BYTES_OF_A_TOKEN)


def _length(value: Any) -> int:
    if isinstance(value, str):
        return len(value.encode("utf-8", "replace"))
    if isinstance(value, int):
        return _BYTES_OF_A_TOKEN
    if isinstance(value, Mapping):
        return sum(_length(value[name]) for name in _TEXTS if name in value)
    return sum(map(_length, value)) if isinstance(value, list) else 0


def named(upload: Upload, requested: str, model: str) -> bytes:
    """The form with `model` in its field of that name; as it came when it says so already."""
    if requested == model:
        return upload.content
    boundary = _BOUNDARY.search(upload.content_type)
    if boundary is None:
        raise InvalidRequest("The form has no boundary in its content-type; send one.")
    mark = b"--" + boundary[1].encode("latin-1", "replace")
    parts = upload.content.split(mark)
    for number, part in enumerate(parts):
        head, separator, value = part.partition(_END_OF_HEAD)
        if separator and _MODEL_FIELD.search(head + b"\r\n"):
            end = b"\r\n" if value.endswith(b"\r\n") else b""
            parts[number] = head + separator + model.encode() + end
            return mark.join(parts)
    field = b'\r\nContent-Disposition: form-data; name="model"' + _END_OF_HEAD + model.encode()
    return mark.join([parts[0], field + b"\r\n", *parts[1:]])
