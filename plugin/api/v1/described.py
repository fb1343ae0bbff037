"""What routes of the GPT API tell its description: their answers, whole, streamed and wrong."""

from typing import Any

from pydantic import BaseModel

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
        told["content"] = {EVENT_STREAM: {"schema": {"$ref": reference(chunk)}}}
    return {200: told}


def reference(model: type[BaseModel]) -> str:
    """Where a model stands in the description."""
    return f"#/components/schemas/{model.__name__}"


def _first_line(model: type[BaseModel]) -> str:
    return (model.__doc__ or model.__name__).strip().split("\n", 1)[0]
