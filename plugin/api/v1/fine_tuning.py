"""Fine-tuning, as the API has it and as it had it until 2024: not built yet, and said so."""

from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict

from plugin.errors import NotOffered
from plugin.operations import operation

router = APIRouter(prefix="/v1", tags=["fine-tuning"])

_METHODS = ["GET", "POST", "DELETE"]
_PATHS = ("/fine_tuning/jobs", "/fine_tuning/{rest:path}", "/fine-tunes", "/fine-tunes/{rest:path}")


class AnyQuery(BaseModel):
    """Whatever is asked for, the answer is the same."""

    model_config = ConfigDict(extra="allow")


@operation(scope="gpt:use", raises=(NotOffered,))
async def fine_tuning(_query: Annotated[AnyQuery, Query()]) -> Response:
    """Fine-tuning: not built yet."""
    raise NotOffered(
        "Fine-tuning is not built yet: this version keeps and checks training files (/v1/files, "
        "purpose fine-tune), and trains nothing. Use a model of GET /v1/models as it is."
    )


for path in _PATHS:
    router.add_api_route(
        path,
        fine_tuning,
        methods=_METHODS,
        operation_id="fine_tuning",
        include_in_schema=False,
    )
