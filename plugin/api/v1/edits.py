"""`/v1/edits`: a text, edited by an instruction; OpenAI retired it, the guide uses it."""

from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from pydantic import AfterValidator, Field, WithJsonSchema

from plugin.api.v1.answering import answer_by
from plugin.api.v1.described import answers
from plugin.api.v1.replies import Edit
from plugin.api.v1.wire import Body, Choices, MayNameModel, NamesModel, Temperature, TopP
from plugin.auth.caller import Caller
from plugin.gpt.edits import edit
from plugin.operations import operation

router = APIRouter(prefix="/v1", tags=["edits"])


def _whole(stream: bool) -> bool:  # noqa: FBT001 - the value of a field
    if stream:
        raise ValueError("an edit is answered whole")
    return stream


# a Literal would take 0 for it
Whole = Annotated[bool, AfterValidator(_whole), WithJsonSchema({"type": "boolean", "const": False})]


class EditParameters(Body):
    """What an edit can be asked for, but for the model."""

    instruction: Annotated[str, Field(min_length=1)]
    "What to do with the text."
    input: str | None = None
    "The text; without one the instruction alone says what to write."
    n: Choices | None = None
    "How many edits to make."
    temperature: Temperature | None = None
    "0 takes the likeliest token each time; up to 2."
    top_p: TopP | None = None
    "Only the likeliest tokens, up to this much probability together, are drawn from."
    stream: Whole | None = None
    "An edit is answered whole."


class EditRequest(EditParameters, NamesModel):
    """A text to be edited."""


class EngineEditRequest(EditParameters, MayNameModel):
    """The same, for the model that the URL names."""


@router.post("/edits", operation_id="create_edit", responses=answers(Edit))
@operation(scope="gpt:use")
async def create_edit(body: EditRequest, request: Request) -> Response:
    """Edit a text by an instruction."""
    return await _answer(request, await body.given(request), body.unknown)


@router.post(
    "/engines/{engine:path}/edits",
    operation_id="create_engine_edit",
    responses=answers(Edit),
    deprecated=True,
)
@operation(scope="gpt:use")
async def create_engine_edit(engine: str, body: EngineEditRequest, request: Request) -> Response:
    """The same for clients that name the model in the URL (`engine=` in openai 0.28)."""
    return await _answer(request, await body.given(request) | {"model": engine}, body.unknown)


async def _answer(request: Request, given: dict[str, Any], unknown: tuple[str, ...]) -> Response:
    kept = {name: value for name, value in given.items() if value is not None}
    caller: Caller = request.scope["plugin.caller"]
    work = partial(edit, given=kept, unknown=unknown, caller=caller.id)
    return await answer_by(request, kept, work)
