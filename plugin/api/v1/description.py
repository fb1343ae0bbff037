"""`/v1/openapi.json`: the GPT API as this service offers it, for those who write clients."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.openapi.utils import get_openapi
from fastapi.routing import iter_route_contexts
from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from plugin.api import cached
from plugin.api.documents import reflow, without_titles, write
from plugin.api.v1 import described_headers
from plugin.api.v1.described import reference
from plugin.api.v1.images import ImageEditRequest, ImageEvent
from plugin.api.v1.replies import ChatCompletionChunk, ErrorBody
from plugin.api.v1.rules import SCHEMAS, SET_OF, SETS, Rule
from plugin.operations import Access, access_of
from plugin.pools.threads import Threads

PATH = "/v1/openapi.json"

_BESIDE: Sequence[tuple[type[BaseModel], JsonSchemaMode]] = (
    (ChatCompletionChunk, "serialization"),
    (ImageEvent, "serialization"),
    (ErrorBody, "serialization"),
    (ImageEditRequest, "validation"),
)
"""Models that no route shows to FastAPI as its body or its reply."""

_SCHEME = "bearer"
_ABOUT = (
    "The GPT API on this service's models. Every request needs a bearer key; every error is the "
    "object that OpenAI's clients read."
)
_KEY = "An API key, sent as `Authorization: Bearer <key>`. It carries the scopes that it may use."
_RESPONSES = "#/components/responses/"
_ALWAYS = (400, 401, 403, 429, 500)
_WITH_BODY = (413, 415)
_OF_MODELS = (404, 502, 503, 504)
_DESCRIPTIONS: Mapping[int, str] = {
    400: "A parameter is wrong, or the prompt is too long for the model.",
    401: "No key, or one that is not valid.",
    403: "The key lacks the scope.",
    404: "Nothing is known under that name.",
    409: "The first call with this Idempotency-Key is still running, or its answer is not kept.",
    413: "The body is too large.",
    415: "The body came in another media type.",
    422: "This Idempotency-Key came before with another path or body.",
    429: "Too many requests, or the quota is used up; the headers say when to try again.",
    500: "The service failed.",
    501: "Nothing here answers that; the message names the setting.",
    502: "The upstream of the model answered what cannot be passed on.",
    503: "The engine is not available; try again as the header retry-after says.",
    504: "The upstream of the model did not answer in time.",
    507: "The disk of the service is full; nothing was stored.",
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
    for path, methods in document.get("paths", {}).items():
        for method, operation in methods.items():
            _finish(operation, declared[operation["operationId"]])
            if method == "post":
                _may_be_repeated(operation, path)
    _complete(document.setdefault("components", {}))
    plain: dict[str, Any] = without_titles(document)
    plain["info"]["title"] = title  # the one title that is meant
    return plain


def router(make: Callable[[], Mapping[str, Any]]) -> APIRouter:
    """The door of the document that `make` gives: asked once, when somebody wants it first.

    Few do, and writing it takes longer than all else at the start. Requests that come meanwhile
    wait for the same thread.
    """
    door = APIRouter()
    writing: asyncio.Task[cached.Document] | None = None

    def document() -> cached.Document:
        return cached.Document(write(make()), "application/json")

    async def send(request: Request) -> Response:
        nonlocal writing
        if writing is None or (writing.done() and (writing.cancelled() or writing.exception())):
            threads: Threads = request.app.state.services.pools.metrics
            writing = asyncio.create_task(threads.run(document))
        return await (await asyncio.shield(writing)).send(request)

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
    for reply in answers.values():
        reply["headers"] = described_headers.of_status(200)
    with_body = _WITH_BODY if "requestBody" in operation else ()
    of_models = _OF_MODELS if with_body and access.scope == "gpt:use" else ()
    raised = (error.status for error in access.raises if error.status in _DESCRIPTIONS)
    for status in sorted({*_ALWAYS, *with_body, *of_models, *raised}):
        answers[str(status)] = _refers_to(status)
    if access.action in SET_OF:
        answers["400"] = {"$ref": _RESPONSES + _refused(SET_OF[access.action])}


def _may_be_repeated(operation: dict[str, Any], path: str) -> None:
    """Add what holds for a call with the header Idempotency-Key."""
    operation.setdefault("parameters", []).append(described_headers.parameter())
    answers = operation["responses"]
    answers["200"]["headers"] = described_headers.of_replies()
    for status in (*described_headers.key_statuses(path), 503):
        answers[str(status)] = _refers_to(status)


def _with_rules(rules: Sequence[Rule]) -> dict[str, Any]:
    """The answer to what breaks a rule that no schema tells; programs find them in `x-rules`."""
    told = [f"- `{rule.param}`: {rule.text}" for rule in rules if rule.param != "*"]
    told += [f"- {rule.text}" for rule in rules if rule.param == "*"]
    text = "\n".join([f"{_DESCRIPTIONS[400]} Beyond the schema:", "", *told])
    return {**_answer(400), "description": text, "x-rules": [rule._asdict() for rule in rules]}


def _refers_to(status: int) -> dict[str, Any]:
    return {"$ref": _RESPONSES + _name(status)}


def _answer(status: int) -> dict[str, Any]:
    return {
        "description": _DESCRIPTIONS[status],
        "headers": described_headers.of_status(status),
        "content": {"application/json": {"schema": {"$ref": reference(ErrorBody)}}},
    }


def _complete(components: dict[str, Any]) -> None:
    schemas = components.setdefault("schemas", {})
    for leftover in ("HTTPValidationError", "ValidationError"):
        schemas.pop(leftover, None)
    _, told = models_json_schema(_BESIDE, ref_template="#/components/schemas/{model}")
    for name, schema in told["$defs"].items():
        schemas.setdefault(name, schema)
    for name, rules in SCHEMAS.items():
        if name in schemas:
            schemas[name] |= rules
    components |= described_headers.components()
    components["responses"] = {_name(status): _answer(status) for status in _DESCRIPTIONS}
    components["responses"] |= {_refused(name): _with_rules(SETS[name]) for name in SETS}
    components["securitySchemes"] = {
        _SCHEME: {"type": "http", "scheme": "bearer", "description": _KEY}
    }


def _refused(rules: str) -> str:
    return f"{_name(400)}{rules}"


def _name(status: int) -> str:
    """The name of an error's answer among the document's components: `NotFound`."""
    return HTTPStatus(status).phrase.title().replace(" ", "")
