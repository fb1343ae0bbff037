"""`/v1/completions`: a text that goes on."""

from typing import Annotated, Any, ClassVar, Self

from fastapi import APIRouter, Request, Response
from pydantic import Field, model_validator

from plugin.api.v1.answering import answer
from plugin.api.v1.described import answers
from plugin.api.v1.replies import Completion
from plugin.api.v1.wire import CountOrNone, Inputs, MayNameModel, NamesModel, Streamed
from plugin.errors import InvalidRequest
from plugin.operations import operation

PATH = "completions"
DEFAULTS = {"prompt": "<|endoftext|>", "max_tokens": 16}
"""What the API promises for parameters that are left out."""

router = APIRouter(prefix="/v1", tags=["completions"])


class CompletionParameters(Streamed):
    """What a completion can be asked for, but for the model."""

    judged_by_engine: ClassVar[bool] = True

    prompt: Inputs[str] | None = None
    "A text, several, or their token ids."
    suffix: str | None = None
    "What comes after the text that is wanted."
    max_tokens: CountOrNone | None = None
    "The most tokens that the text may have; 16 by default."
    echo: bool | None = None
    "Whether the prompt is repeated before the text."
    best_of: Annotated[int, Field(ge=1, le=128)] | None = None
    "How many texts to make; the `n` likeliest are answered."
    logprobs: Annotated[int, Field(ge=0, le=5)] | None = None
    "How many likely tokens to tell at each place."

    @model_validator(mode="after")
    def check(self) -> Self:
        """Refuse what contradicts itself; raises `InvalidRequest`, which names the parameter."""
        self.check_stream()
        wanted = self.n or 1
        if self.best_of is not None and self.best_of < wanted:
            raise InvalidRequest(
                f"`best_of` is {self.best_of}, less than `n`, {wanted}; make it at least `n`.",
                param="best_of",
            )
        if self.stream and self.best_of is not None and self.best_of > wanted:
            raise InvalidRequest(
                "The best of several texts is known only at the end: `best_of` over `n` cannot be "
                "streamed; leave out `stream` or `best_of`.",
                param="best_of",
            )
        return self


class CompletionRequest(CompletionParameters, NamesModel):
    """A text to be continued."""


class EngineCompletionRequest(CompletionParameters, MayNameModel):
    """The same, for the model that the URL names."""


@router.post(
    "/completions", operation_id="create_completion", responses=answers(Completion, Completion)
)
@operation(scope="gpt:use")
async def create_completion(body: CompletionRequest, request: Request) -> Response:
    """Continue a text, whole or as server-sent events."""
    given = with_defaults(await body.given(request))
    return await answer(request, PATH, given, unknown=body.unknown, refused=body.refused)


@router.post(
    "/engines/{engine:path}/completions",
    operation_id="create_engine_completion",
    responses=answers(Completion, Completion),
    deprecated=True,
)
@operation(scope="gpt:use")
async def create_engine_completion(
    engine: str, body: EngineCompletionRequest, request: Request
) -> Response:
    """The same for clients that name the model in the URL (`engine=` in openai 0.28)."""
    given = with_defaults(await body.given(request)) | {"model": engine}
    return await answer(request, PATH, given, unknown=body.unknown, refused=body.refused)


def with_defaults(given: dict[str, Any]) -> dict[str, Any]:
    """A body with what the API promises for parameters that are left out or null."""
    for name, value in DEFAULTS.items():
        if given.get(name) is None:
            given[name] = value
    return given
