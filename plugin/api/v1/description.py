"""`/v1/openapi.json`: the GPT API as this service offers it, for those who write clients."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.openapi.utils import get_openapi
from fastapi.routing import iter_route_contexts
from pydantic.json_schema import models_json_schema

from plugin.api import cached
from plugin.api.documents import reflow, without_titles, write
from plugin.api.v1.described import reference
from plugin.api.v1.replies import ChatCompletionChunk, ErrorBody
from plugin.operations import Access, access_of

PATH = "/v1/openapi.json"

_SCHEME = "bearer"
_ABOUT = (
    "The GPT API on this service's models. Every request needs a bearer key; every error is the "
    "object that OpenAI's clients read."
)
_KEY = "An API key, sent as `Authorization: Bearer <key>`. It carries the scopes that it may use."
_ALWAYS = (400, 401, 403, 429, 500)
_WITH_BODY = (404, 413, 415, 501, 503)
_DESCRIPTIONS: Mapping[int, str] = {
    400: "A parameter is wrong, or the prompt is too long for the model.",
    401: "No key, or one that is not valid.",
    403: "The key lacks the scope.",
    404: "Nothing is known under that name.",
    413: "The body is too large.",
    415: "The body came in another media type.",
    429: "Too many requests, or the quota is used up; the headers say when to try again.",
    500: "The service failed.",
    501: "Nothing here answers that; the message names the setting.",
    503: "The engine is not available; try again as the header retry-after says.",
}


def build(routers: Sequence[APIRouter], *, title: str, server: str, version: str) -> dict[str, Any]:
    """The OpenAPI 3.1 document of the endpoints below `/v1`, served at the address `server`."""
    collected = FastAPI(openapi_url=None)
    for router in routers:
        collected.include_router(router)
    document = get_openapi(
        title=title,
        version=version,
        description=_ABOUT,
        routes=collected.routes,
        servers=[{"url": server}],
    )
    declared = _declared(collected)
    for methods in document.get("paths", {}).values():
        for operation in methods.values():
            _finish(operation, declared[operation["operationId"]])
    _complete(document.setdefault("components", {}))
    plain: dict[str, Any] = without_titles(document)
    plain["info"]["title"] = title  # the one title that is meant
    return plain


def router(make: Callable[[], Mapping[str, Any]]) -> APIRouter:
    """The door of the document that `make` gives: asked once, when somebody wants it first.

    Few do, and writing it takes longer than all else at the start.
    """
    door = APIRouter()

    @cache
    def document() -> cached.Document:
        return cached.Document(write(make()), "application/json")

    async def send(request: Request) -> Response:
        return await (await asyncio.to_thread(document)).send(request)

    door.add_api_route(PATH, send, methods=["GET", "HEAD"], include_in_schema=False)
    return door


def _declared(app: FastAPI) -> dict[str, Access]:
    found = (
        access_of(route.endpoint)
        for route in iter_route_contexts(app.routes)
        if route.endpoint is not None
    )
    return {access.action: access for access in found if access is not None}


def _finish(operation: dict[str, Any], access: Access) -> None:
    operation["security"] = [{_SCHEME: [access.scope]}]
    operation["description"] = reflow(operation.get("description", operation["summary"]))
    answers = operation["responses"]
    answers.pop("422", None)
    with_body = _WITH_BODY if "requestBody" in operation else ()
    raised = (error.status for error in access.raises if error.status in _DESCRIPTIONS)
    for status in sorted({*_ALWAYS, *with_body, *raised}):
        answers[str(status)] = {"$ref": f"#/components/responses/{_name(status)}"}


def _complete(components: dict[str, Any]) -> None:
    schemas = components.setdefault("schemas", {})
    for leftover in ("HTTPValidationError", "ValidationError"):
        schemas.pop(leftover, None)
    models = [(model, "serialization") for model in (ChatCompletionChunk, ErrorBody)]
    _, told = models_json_schema(models, ref_template="#/components/schemas/{model}")  # type: ignore[arg-type]
    for name, schema in told["$defs"].items():
        schemas.setdefault(name, schema)
    content = {"application/json": {"schema": {"$ref": reference(ErrorBody)}}}
    components["responses"] = {
        _name(status): {"description": text, "content": content}
        for status, text in _DESCRIPTIONS.items()
    }
    components["securitySchemes"] = {
        _SCHEME: {"type": "http", "scheme": "bearer", "description": _KEY}
    }


def _name(status: int) -> str:
    """The name of an error's answer among the document's components: `NotFound`."""
    return HTTPStatus(status).phrase.title().replace(" ", "")
