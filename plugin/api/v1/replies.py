"""What the GPT API answers, for its description; the engines write the bytes themselves."""

from typing import Literal

from pydantic import BaseModel, ConfigDict


class _Reply(BaseModel):
    model_config = ConfigDict(use_attribute_docstrings=True)


class Usage(_Reply):
    """Tokens, as the engine counted them."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class LikelyToken(_Reply):
    """A token that could have stood there."""

    token: str
    logprob: float
    bytes: list[int] | None


class TokenLogprob(LikelyToken):
    """A token of the answer, and what else could have stood there."""

    top_logprobs: list[LikelyToken]


class ChatLogprobs(_Reply):
    """How likely each token was."""

    content: list[TokenLogprob] | None
    refusal: list[TokenLogprob] | None


class FunctionCall(_Reply):
    """A function to call; `arguments` are JSON as text."""

    name: str
    arguments: str


class ToolCall(_Reply):
    """A call of a tool."""

    id: str
    type: Literal["function"]
    function: FunctionCall


class ChatMessage(_Reply):
    """The message that continues the conversation."""

    role: Literal["assistant"]
    content: str | None
    refusal: str | None
    tool_calls: list[ToolCall] = []
    function_call: FunctionCall | None = None


FinishReason = Literal["stop", "length", "tool_calls", "content_filter", "function_call"]


class ChatChoice(_Reply):
    """One continuation."""

    index: int
    message: ChatMessage
    logprobs: ChatLogprobs | None
    finish_reason: FinishReason


class ChatCompletion(_Reply):
    """A continued conversation."""

    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    "The model that was asked for; the header openai-model says which one answered."
    choices: list[ChatChoice]
    usage: Usage


class FunctionPiece(_Reply):
    """A piece of a call: the name once, then arguments."""

    name: str | None = None
    arguments: str | None = None


class ToolCallPiece(_Reply):
    """A piece of a tool call; `id`, `type` and the name come once."""

    index: int
    id: str | None = None
    type: Literal["function"] | None = None
    function: FunctionPiece


class Delta(_Reply):
    """What is new."""

    role: Literal["assistant"] | None = None
    content: str | None = None
    tool_calls: list[ToolCallPiece] | None = None
    function_call: FunctionPiece | None = None


class ChunkChoice(_Reply):
    """What is new in one choice."""

    index: int
    delta: Delta
    logprobs: ChatLogprobs | None = None
    finish_reason: FinishReason | None


class ChatCompletionChunk(_Reply):
    """One event of a stream; the last one before `[DONE]` may tell the usage."""

    id: str
    object: Literal["chat.completion.chunk"]
    created: int
    model: str
    choices: list[ChunkChoice]
    usage: Usage | None = None


class TextLogprobs(_Reply):
    """How likely each token was, in the old form: four lists of one length."""

    tokens: list[str]
    token_logprobs: list[float | None]
    top_logprobs: list[dict[str, float] | None]
    text_offset: list[int]


class TextChoice(_Reply):
    """One continuation of a text."""

    index: int
    text: str
    logprobs: TextLogprobs | None
    finish_reason: Literal["stop", "length", "content_filter"] | None


class Completion(_Reply):
    """A continued text."""

    id: str
    object: Literal["text_completion"]
    created: int
    model: str
    choices: list[TextChoice]
    usage: Usage | None = None


class EditedText(_Reply):
    """One edited text."""

    index: int
    text: str


class Edit(_Reply):
    """A text, edited by an instruction."""

    object: Literal["edit"]
    created: int
    choices: list[EditedText]
    usage: Usage


class Embedding(_Reply):
    """The vector of one input: numbers, or little-endian float32 in base64."""

    object: Literal["embedding"]
    index: int
    embedding: list[float] | str


class EmbeddingUsage(_Reply):
    """Tokens of the inputs."""

    prompt_tokens: int
    total_tokens: int


class Embeddings(_Reply):
    """The vectors of all inputs, in their order."""

    object: Literal["list"]
    model: str
    data: list[Embedding]
    usage: EmbeddingUsage


class ModelCard(_Reply):
    """A name that can be asked for, and what answers to it."""

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: str
    kind: str
    "text, embedding, image or moderation."
    alias_of: str | None
    "The model that answers, where this is another name for it."
    context_window: int | None
    "Tokens of prompt and answer together."
    strengths: str | None
    languages: list[str]
    "What it understands well, as ISO 639-1; empty where nobody said."
    shutdown_date: str | None
    "When it will no longer answer (ISO 8601)."


class ModelList(_Reply):
    """Every name that can be asked for."""

    object: Literal["list"] = "list"
    data: list[ModelCard]


class EngineCard(_Reply):
    """A model, as clients before 2022 list them."""

    id: str
    object: Literal["engine"] = "engine"
    owner: str
    ready: bool = True
    created: int | None = None
    permissions: list[str] | None = None


class EngineList(_Reply):
    """Every model, as clients before 2022 list them."""

    object: Literal["list"] = "list"
    data: list[EngineCard]


class ErrorObject(_Reply):
    """What went wrong, whose side it is on, and what to do next."""

    message: str
    type: str
    param: str | None
    code: str | None


class ErrorBody(_Reply):
    """Every error of this API."""

    error: ErrorObject
