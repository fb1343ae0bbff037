"""`/v1/moderations`: by a moderation model where one is configured, else by the local phrases."""

from collections.abc import Sequence
from secrets import token_hex
from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from plugin.api.v1.answering import answer, respond
from plugin.api.v1.described import ENGINE_ERRORS, answers
from plugin.api.v1.wire import Body, ModelName, Part
from plugin.engines.catalog import Catalog
from plugin.engines.engine import Whole
from plugin.errors import InvalidRequest, NotOffered
from plugin.gpt.moderation import MODEL, Phrases, flagged, result
from plugin.messages import AnsweredBy, Usage
from plugin.operations import operation

PATH = "moderations"
DEFAULT = "omni-moderation-latest"

_LOCAL_NAMES = frozenset(
    {
        *(MODEL, DEFAULT, "omni-moderation-2024-09-26"),
        "text-moderation-latest",
        "text-moderation-stable",
        "text-moderation-007",
    }
)
"""The names that the local phrases answer to, where no engine does."""

_LONGEST = 200_000
_MOST = 2_048

router = APIRouter(prefix="/v1", tags=["moderations"])


class TextToJudge(Part):
    """A text to look at."""

    type: Literal["text"]
    text: str


class ImageAddress(Part):
    """Where an image lies."""

    url: Annotated[str, Field(min_length=1)]


class ImageToJudge(Part):
    """An image to look at; the local phrases do not see images."""

    type: Literal["image_url"]
    image_url: ImageAddress


Texts = Annotated[list[str], Field(min_length=1, max_length=_MOST)]
Parts = Annotated[list[TextToJudge | ImageToJudge], Field(min_length=1, max_length=_MOST)]


class ModerationRequest(Body):
    """What to look at."""

    input: str | Texts | Parts
    "A text, a list of texts (one result each), or parts (one result for all)."
    model: ModelName | None = None
    "A moderation model; null for the default."


class ModerationResult(BaseModel):
    """What one input is flagged for."""

    flagged: bool
    categories: dict[str, bool]
    category_scores: dict[str, float]
    category_applied_input_types: dict[str, list[str]]


class Moderation(BaseModel):
    """A result for each input."""

    id: str
    model: str
    results: list[ModerationResult]


@router.post("/moderations", operation_id="create_moderation", responses=answers(Moderation))
@operation(scope="gpt:use", raises=ENGINE_ERRORS)
async def create_moderation(body: ModerationRequest, request: Request) -> Response:
    """Look for hate, harassment and threats.

    A moderation model answers where PLUGIN_UPSTREAMS has one of that name. Without one a list of
    phrases in English and Chinese does (local-phrases-1): it covers hate, harassment and threats
    said in plain words. Illicit, self-harm, sexual and graphic content is not covered: False and 0
    say there that nobody looked, and `category_applied_input_types` is empty.
    """
    catalog: Catalog = request.app.state.services.catalog
    model = body.model or DEFAULT
    found = catalog.get(model)
    if found is None and model in _LOCAL_NAMES:
        return await _local(body, request)
    if found is not None and found.model.kind != "moderation":
        raise InvalidRequest(
            f"The model `{model[:200]}` is no moderation model; leave `model` out for the default.",
            param="model",
        )
    given = await body.given(request) | {"model": model}
    return await answer(request, PATH, given, unknown=body.unknown)


async def _local(body: ModerationRequest, request: Request) -> Response:
    phrases: Phrases = request.app.state.services.phrases
    exchange = request.scope["plugin.exchange"]
    exchange.record.model = body.model or DEFAULT
    exchange.record.operation = "moderation"
    found = await flagged(phrases, _texts(body))
    if not isinstance(body.input, str) and not isinstance(body.input[0], str):
        found = [set[str]().union(*found)]
    reply: dict[str, Any] = {
        "id": f"modr-{token_hex(16)}",
        "model": MODEL,
        "results": [result(categories) for categories in found],
    }
    return respond(Whole(orjson.dumps(reply), Usage(), AnsweredBy(MODEL)), exchange)


def _texts(body: ModerationRequest) -> Sequence[str]:
    given = [body.input] if isinstance(body.input, str) else body.input
    texts = [_text(one) for one in given]
    if sum(map(len, texts)) > _LONGEST:
        raise InvalidRequest(
            f"`input` may have {_LONGEST} characters in all here; send it in several requests.",
            param="input",
        )
    return texts


def _text(given: str | TextToJudge | ImageToJudge) -> str:
    if isinstance(given, ImageToJudge):
        raise NotOffered(
            "Images are not looked at here: no moderation model is configured, and the local "
            f"phrases read text only. Add one with PLUGIN_UPSTREAMS whose name is `{DEFAULT}`, or "
            "give it that name with PLUGIN_MODEL_ALIASES; or send the texts alone.",
            param="input",
        )
    return given.text if isinstance(given, TextToJudge) else given
