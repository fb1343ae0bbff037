"""The rules between members of a body: in JSON Schema where it can say them, else in words.

The models judge each member by itself; what they refuse beyond that stands here for the description
(`/v1/openapi.json`), so that whoever reads it knows before he asks. Words name the parameter that
the error names: `[]` stands for any place in a list, `*` for members that the description lacks.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple


class Rule(NamedTuple):
    """What a request is refused for with 400, though it fits the schema."""

    param: str
    text: str


_UNKNOWN = Rule("*", "The embedded model refuses members that are not described here.")
_KIND = Rule("model", "The model must be one that answers at this path; GET /v1/models tells.")
_PLACES = "The embedded model gives 1 to 8 choices a request."

_CHAT = (
    _KIND,
    _UNKNOWN,
    Rule("messages", "The conversation must fit into the model's context."),
    Rule(
        "messages[].tool_call_id",
        "A message of a tool answers one of the `tool_calls` of an assistant's message before it.",
    ),
    Rule("messages[].content", "Images, audio and files are read by models of upstreams only."),
    Rule("tool_choice", "A tool that is named must be one of `tools`."),
    Rule("function_call", "A function that is named must be one of `functions`."),
    Rule("n", _PLACES),
    Rule("modalities", "The embedded model answers in text only."),
    Rule("audio", "Only models of upstreams speak."),
    Rule("prediction", "Only models of upstreams use a prediction."),
    Rule("web_search_options", "Only models of upstreams search the web."),
    Rule(
        "tools[].function.parameters",
        "The embedded model follows schemas up to a size, and only those that something fits.",
    ),
    Rule(
        "response_format.json_schema.schema",
        "The embedded model follows schemas up to a size, and only those that something fits.",
    ),
)
_TEXT = (
    _KIND,
    _UNKNOWN,
    Rule("prompt", "The prompt must fit into the model's context, its tokens be the model's own."),
    Rule("suffix", "The embedded model takes a `suffix` only with a text, and without `echo`."),
    Rule("best_of", "`best_of` must be at least `n`, and `n` when streamed."),
    Rule("n", _PLACES),
)
_EDITS = (
    _KIND,
    _UNKNOWN,
    Rule("input", "The text and the instruction must fit into the model's context."),
    Rule("instruction", "It must fit into the model's context."),
    Rule("n", _PLACES),
)
_VECTORS = (
    _KIND,
    _UNKNOWN,
    Rule("input", "Each input must fit into the model's context, its tokens be the model's own."),
    Rule("dimensions", "At most as many as the model's vectors have."),
)

SETS: Mapping[str, tuple[Rule, ...]] = {
    "Chat": _CHAT,
    "Completion": _TEXT,
    "Edit": _EDITS,
    "Embedding": _VECTORS,
    "Image": (_KIND, _UNKNOWN),
    "Moderation": (
        _KIND,
        Rule("input", "The local phrases read 200,000 characters in a request."),
    ),
    "File": (
        Rule("file", "For fine-tune and batch the file holds JSON lines of the purpose's form."),
        Rule("expires_after", "Its two fields come together."),
    ),
    "Usage": (
        Rule("date", "`date` stands alone, without `start_date` and `end_date`."),
        Rule("start_date", "A span has a `start_date`."),
        Rule("end_date", "A span ends (without a date: today) 0 to 365 days behind `start_date`."),
    ),
}
"""By the name that the description gives them."""

SET_OF: Mapping[str, str] = {
    "create_chat_completion": "Chat",
    "create_engine_chat_completion": "Chat",
    "create_completion": "Completion",
    "create_engine_completion": "Completion",
    "create_edit": "Edit",
    "create_engine_edit": "Edit",
    "create_embedding": "Embedding",
    "create_engine_embedding": "Embedding",
    "create_moderation": "Moderation",
    "create_image": "Image",
    "create_image_edit": "Image",
    "create_image_variation": "Image",
    "create_file": "File",
    "get_usage": "Usage",
}
"""Which rules hold for an operation, by its id."""


def _unless(name: str, absent: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Where the member `name` is there, and not as `absent` has it, `other` holds."""
    return {"anyOf": [{"properties": {name: absent}}, other]}


def _is(name: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"required": [name], "properties": {name: schema}}


_NULL: Mapping[str, Any] = {"type": "null"}
_TRUE: Mapping[str, Any] = {"const": True}
_SOME: Mapping[str, Any] = {"type": "array", "minItems": 1}

_STREAMS = _unless("stream_options", _NULL, _is("stream", _TRUE))
_CHATS = [
    _STREAMS,
    _unless("top_logprobs", _NULL, _is("logprobs", _TRUE)),
    _unless("max_tokens", _NULL, {"properties": {"max_completion_tokens": _NULL}}),
    _unless("functions", _NULL, {"properties": {"tools": {"maxItems": 0}}}),
    _unless("tool_choice", {"enum": ["none", "auto", None]}, _is("tools", _SOME)),
    _unless("function_call", {"enum": ["none", "auto", None]}, _is("functions", _SOME)),
]
_SAYS = {
    "anyOf": [
        _is("content", {"type": ["string", "array"]}),
        _is("refusal", {"type": "string"}),
        _is("audio", {"type": "object"}),
        _is("tool_calls", _SOME),
        _is("function_call", {"type": "object"}),
    ]
}

SCHEMAS: Mapping[str, Mapping[str, Any]] = {
    "ChatRequest": {"allOf": _CHATS},
    "EngineChatRequest": {"allOf": _CHATS},
    "CompletionRequest": _STREAMS,
    "EngineCompletionRequest": _STREAMS,
    "AssistantMessage": _SAYS,
}
"""What a schema of the description says beside its members."""
