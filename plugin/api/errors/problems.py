"""How the OpenAPI document declares what can go wrong: one schema, an answer for each error."""

from typing import Any

from plugin.errors import (
    BodyTooLarge,
    InvalidArguments,
    LimitReached,
    MissingScope,
    NotAuthenticated,
    PluginError,
    UnsupportedMediaType,
)

MEDIA_TYPE = "application/problem+json"

ALWAYS: tuple[type[PluginError], ...] = (
    NotAuthenticated,
    MissingScope,
    InvalidArguments,
    LimitReached,
)
"""What every operation can answer, whatever it does."""

WITH_BODY: tuple[type[PluginError], ...] = (BodyTooLarge, UnsupportedMediaType)
"""What an operation that takes a body can answer too."""

PROBLEM: dict[str, Any] = {
    "type": "object",
    "description": "What went wrong and how to mend the call (RFC 9457).",
    "required": ["type", "title", "status", "detail", "code", "request_id"],
    "properties": {
        "type": {"type": "string", "description": "A URI of the kind of problem."},
        "title": {"type": "string", "description": "The kind of problem, in words."},
        "status": {"type": "integer", "description": "The HTTP status."},
        "detail": {"type": "string", "description": "What failed here, and what to do next."},
        "code": {"type": "string", "description": "The kind of problem, for programs."},
        "request_id": {"type": "string", "description": "Name it when you ask for help."},
        "errors": {
            "type": "array",
            "description": "The arguments that were refused, one by one.",
            "items": {"$ref": "#/components/schemas/ArgumentProblem"},
        },
    },
    "examples": [
        {
            "type": f"urn:gpt-plugin:problem:{InvalidArguments.code}",
            "title": InvalidArguments.title,
            "status": InvalidArguments.status,
            "detail": '`unit` must be one of "celsius", "fahrenheit"; got "Celsius". The nearest '
            'valid value is "celsius".',
            "code": InvalidArguments.code,
            "request_id": "6f1c2f3a9d0b4c55",
            "errors": [
                {
                    "argument": "unit",
                    "pointer": "/unit",
                    "expected": 'one of "celsius", "fahrenheit"',
                    "got": "Celsius",
                    "nearest": "celsius",
                }
            ],
        }
    ],
}

ARGUMENT_PROBLEM: dict[str, Any] = {
    "type": "object",
    "description": "An argument that was refused.",
    "required": ["argument", "pointer", "expected", "got"],
    "properties": {
        "argument": {"type": "string", "description": "The name of the argument."},
        "pointer": {"type": "string", "description": "A JSON pointer into the arguments."},
        "expected": {"type": "string", "description": "What would have been right."},
        "got": {"description": "What came, shortened."},
        "nearest": {"description": "The closest name or value that is valid."},
    },
}


def name(error: type[PluginError]) -> str:
    """The name of an error's answer among the document's components."""
    return error.__name__


def answer(error: type[PluginError]) -> dict[str, Any]:
    """The declaration of an error's answer."""
    return {
        "description": f"{error.title}.",
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
