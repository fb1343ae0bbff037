"""What routes of the GPT API tell its description: their answers, whole, streamed and wrong."""

from typing import Any

from pydantic import BaseModel

from plugin.api.v1.replies import ErrorBody
from plugin.errors import EngineUnavailable, InvalidRequest, ModelNotFound, NotOffered, PluginError

EVENT_STREAM = "text/event-stream"

Answers = dict[int | str, dict[str, Any]]

ENGINE_ERRORS: tuple[type[PluginError], ...] = (
    InvalidRequest,
    ModelNotFound,
    NotOffered,
    EngineUnavailable,
)
"""What a request that an engine answers can end with, beside what every one can."""


def answers(reply: type[BaseModel], chunk: type[BaseModel] | None = None) -> Answers:
    """For a route's `responses`: its reply, and the events of its stream if it has one."""
    told: dict[str, Any] = {"model": reply, "description": _first_line(reply)}
    if chunk is not None:
        told["content"] = {EVENT_STREAM: {"itemSchema": _event(chunk)}}
    return {200: told}


def _event(chunk: type[BaseModel]) -> dict[str, Any]:
    """One event, as OpenAPI 3.2 describes it: a chunk, what broke the stream off, or its end."""
    values = [{"$ref": reference(chunk)}, {"$ref": reference(ErrorBody)}]
    value = {"contentMediaType": "application/json", "contentSchema": {"anyOf": values}}
    data = {"type": "string", "anyOf": [{"const": "[DONE]"}, value]}
    return {"type": "object", "required": ["data"], "properties": {"data": data}}


def reference(model: type[BaseModel]) -> str:
    """Where a model stands in the description."""
    return f"#/components/schemas/{model.__name__}"


def _first_line(model: type[BaseModel]) -> str:
    return (model.__doc__ or model.__name__).strip().split("\n", 1)[0]
