"""What openai 0.28.1 reads of endpoints that OpenAI's description no longer has.

Sources: `openai/api_resources/{edit,engine}.py`, `openai/cli.py` and `openai/util.py` of 0.28.1,
and the API reference of that time. `/usage` never had a client: its shape is the dashboard's.
"""

from collections.abc import Mapping
from typing import Any

_COUNT = {"type": "integer", "minimum": 0}

_ENGINE = {
    "type": "object",
    "required": ["id", "object", "owner", "ready"],
    "properties": {
        "id": {"type": "string", "minLength": 1},
        "object": {"const": "engine"},
        "owner": {"type": "string"},
        "ready": {"type": "boolean"},
        "created": {"type": ["integer", "null"]},
        "permissions": {"type": ["array", "null"]},
    },
}

_EDIT = {
    "type": "object",
    "required": ["object", "created", "choices", "usage"],
    "properties": {
        "object": {"const": "edit"},
        "created": {"type": "integer"},
        "choices": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["text", "index"],
                "properties": {
                    "text": {"type": "string"},
                    "index": _COUNT,
                    "finish_reason": {"enum": ["stop", "length"]},
                },
            },
        },
        "usage": {
            "type": "object",
            "required": ["prompt_tokens", "completion_tokens", "total_tokens"],
            "additionalProperties": _COUNT,
        },
    },
}

_USAGE = {
    "type": "object",
    "required": ["object", "data"],
    "properties": {
        "object": {"const": "list"},
        "data": {
            "type": "array",
            "items": {
                "type": "object",
                "required": [
                    *("aggregation_timestamp", "n_requests", "operation", "snapshot_id"),
                    *("n_context_tokens_total", "n_generated_tokens_total"),
                ],
                "properties": {
                    "aggregation_timestamp": {"type": "integer"},
                    "n_requests": _COUNT,
                    "operation": {"type": "string"},
                    "snapshot_id": {"type": "string"},
                    "n_context": _COUNT,
                    "n_context_tokens_total": _COUNT,
                    "n_generated": _COUNT,
                    "n_generated_tokens_total": _COUNT,
                },
            },
        },
    },
}

LEGACY: Mapping[str, dict[str, Any]] = {
    "edit": _EDIT,
    "engine": _ENGINE,
    "engines": {
        "type": "object",
        "required": ["object", "data"],
        "properties": {"object": {"const": "list"}, "data": {"type": "array", "items": _ENGINE}},
    },
    "usage": _USAGE,
}
