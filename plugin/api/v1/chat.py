"""`/v1/chat/completions`."""

from typing import Annotated, Any, ClassVar, Literal, Self

from fastapi import APIRouter, Request, Response
from pydantic import Field, model_validator

from plugin.api.v1.answering import answer
from plugin.api.v1.chat_messages import Message, check_messages
from plugin.api.v1.chat_tools import (
    FunctionChoice,
    Functions,
    ResponseFormat,
    ToolChoice,
    Tools,
    check_functions,
    check_tools,
)
from plugin.api.v1.described import answers
from plugin.api.v1.replies import ChatCompletion, ChatCompletionChunk
from plugin.api.v1.wire import Count, MayNameModel, NamesModel, Streamed
from plugin.errors import InvalidRequest
from plugin.operations import operation

PATH = "chat/completions"

router = APIRouter(prefix="/v1", tags=["chat"])

Metadata = Annotated[
    dict[Annotated[str, Field(max_length=64)], Annotated[str, Field(max_length=512)]],
    Field(max_length=16),
]


class ChatParameters(Streamed):
    """What a chat completion can be asked for, but for the model."""

    judged_by_engine: ClassVar[bool] = True

    messages: Annotated[list[Message], Field(min_length=1)]
    "The conversation so far."
    max_tokens: Count | None = None
    "The most tokens that the answer may have; the older name."
    max_completion_tokens: Count | None = None
    "The most tokens that the answer may have."
    logprobs: bool | None = None
    "Whether to tell how likely each token was."
    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    "How many likely tokens to tell at each place; only with `logprobs`."
    tools: Tools | None = None
    "What the model may call."
    tool_choice: ToolChoice | None = None
    "none, auto, required, or one of the tools."
    parallel_tool_calls: bool | None = None
    "Whether several tools may be called at once."
    functions: Functions | None = None
    "The old form of `tools`."
    function_call: FunctionChoice | None = None
    "The old form of `tool_choice`: none, auto, or a name."
    response_format: ResponseFormat | None = None
    "Text, a JSON object, or JSON that fits a schema."
    modalities: list[Literal["text", "audio"]] | None = None
    "What the answer is made of; audio only from an upstream."
    audio: dict[str, Any] | None = None
    "How an answer that is heard shall sound; only for an upstream."
    prediction: dict[str, Any] | None = None
    "A text that much of the answer will repeat; only an upstream uses it."
    reasoning_effort: str | None = None
    "How long to reason; only an upstream uses it."
    verbosity: Literal["low", "medium", "high"] | None = None
    "How long to answer; only an upstream uses it."
    web_search_options: dict[str, Any] | None = None
    "How to search the web; only for an upstream."
    metadata: Metadata | None = None
    "Your own notes on the request; not kept here."
    store: bool | None = None
    "Accepted; nothing is kept here."
    service_tier: Literal["auto", "default", "flex", "scale", "priority", "fast"] | None = None
    "Accepted; there is one tier here."
    safety_identifier: Annotated[str, Field(max_length=64)] | None = None
    "Who the request is for; not used here."
    prompt_cache_key: str | None = None
    "Accepted; prompts are cached without it."
    prompt_cache_retention: Literal["in_memory", "in-memory", "24h"] | None = None
    "Accepted; prompts are cached without it."
    prompt_cache_options: dict[str, Any] | None = None
    "Accepted; prompts are cached without it."
    moderation: dict[str, Any] | None = None
    "Only an upstream uses it; see /v1/moderations."

    @model_validator(mode="after")
    def check(self) -> Self:
        """Refuse what contradicts itself; raises `InvalidRequest`, which names the parameter."""
        self.check_stream()
        check_messages(self.messages)
        check_tools(self.tools, self.tool_choice)
        check_functions(self.functions, self.function_call)
        if self.tools and self.functions:
            raise InvalidRequest(
                "`functions` is the old form of `tools`; send one of them.", param="functions"
            )
        if self.top_logprobs is not None and not self.logprobs:
            raise InvalidRequest(
                "`top_logprobs` is only allowed with `logprobs`: true.", param="top_logprobs"
            )
        if self.max_tokens is not None and self.max_completion_tokens is not None:
            raise InvalidRequest(
                "`max_tokens` is the old name of `max_completion_tokens`; send one of them.",
                param="max_tokens",
            )
        return self


class ChatRequest(ChatParameters, NamesModel):
    """A conversation to be continued."""


class EngineChatRequest(ChatParameters, MayNameModel):
    """The same, for the model that the URL names."""


@router.post(
    "/chat/completions",
    operation_id="create_chat_completion",
    responses=answers(ChatCompletion, ChatCompletionChunk),
)
@operation(scope="gpt:use")
async def create_chat_completion(body: ChatRequest, request: Request) -> Response:
    """Continue a conversation, whole or as server-sent events."""
    return await answer(
        request, PATH, await body.given(request), unknown=body.unknown, refused=body.refused
    )


@router.post(
    "/engines/{engine:path}/chat/completions",
    operation_id="create_engine_chat_completion",
    responses=answers(ChatCompletion, ChatCompletionChunk),
    deprecated=True,
)
@operation(scope="gpt:use")
async def create_engine_chat_completion(
    engine: str, body: EngineChatRequest, request: Request
) -> Response:
    """The same for clients that name the model in the URL (`engine=` in openai 0.28)."""
    given = await body.given(request) | {"model": engine}
    return await answer(request, PATH, given, unknown=body.unknown, refused=body.refused)
