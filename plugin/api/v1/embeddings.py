"""`/v1/embeddings`: vectors of texts."""

from typing import Annotated, ClassVar

from fastapi import APIRouter, Request, Response
from pydantic import Field

from plugin.api.v1.answering import answer
from plugin.api.v1.described import answers
from plugin.api.v1.replies import Embeddings
from plugin.api.v1.wire import Body, Encoding, Inputs, MayNameModel, NamesModel
from plugin.operations import operation

PATH = "embeddings"

router = APIRouter(prefix="/v1", tags=["embeddings"])


class EmbeddingParameters(Body):
    """What vectors can be asked for, but for the model."""

    judged_by_engine: ClassVar[bool] = True

    input: Inputs[Annotated[str, Field(min_length=1)]]
    "A text, up to 2048 of them, or their token ids."
    encoding_format: Encoding | None = None
    "float by default; base64 of little-endian float32 is what SDKs ask for."
    dimensions: Annotated[int, Field(ge=1, le=100_000)] | None = None
    "Shorter vectors: cut to this length and brought to length 1 again."


class EmbeddingRequest(EmbeddingParameters, NamesModel):
    """Texts whose vectors are wanted."""


class EngineEmbeddingRequest(EmbeddingParameters, MayNameModel):
    """The same, for the model that the URL names."""


@router.post("/embeddings", operation_id="create_embedding", responses=answers(Embeddings))
@operation(scope="gpt:use")
async def create_embedding(body: EmbeddingRequest, request: Request) -> Response:
    """Turn texts into vectors: what means the same lies close together."""
    return await answer(
        request, PATH, await body.given(request), unknown=body.unknown, refused=body.refused
    )


@router.post(
    "/engines/{engine:path}/embeddings",
    operation_id="create_engine_embedding",
    responses=answers(Embeddings),
    deprecated=True,
)
@operation(scope="gpt:use")
async def create_engine_embedding(
    engine: str, body: EngineEmbeddingRequest, request: Request
) -> Response:
    """The same for clients that name the model in the URL (`engine=` in openai 0.28)."""
    given = await body.given(request) | {"model": engine}
    return await answer(request, PATH, given, unknown=body.unknown, refused=body.refused)
