"""`/openapi.json`: exactly what models may call, in words for a model, made once."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import iter_route_contexts

from plugin.api import cached
from plugin.api.errors import problems
from plugin.errors import PluginError
from plugin.operations import Access, access_of

OPENAPI_PATH = "/openapi.json"

_SCHEME = "bearer"
_ABOUT = (
    "What this plugin can do for a user. Every operation needs a bearer key; an error says in "
    "`detail` and `errors` how to mend the call."
)
_KEY = "An API key, sent as `Authorization: Bearer <key>`. It carries the scopes that it may use."
_DEFAULT_ANSWER = "Successful Response"

_NAMED = frozenset({"properties", "schemas", "$defs"})
"""Keywords whose keys are the author's names."""

_VALUES = frozenset({"examples", "example", "default", "enum", "const"})
"""Keywords that hold values, not schemas."""


def build(routers: Sequence[APIRouter], *, title: str, server: str, version: str) -> dict[str, Any]:
    """The OpenAPI 3.1 document of the operations in `routers`, served at the address `server`."""
    collected = FastAPI(openapi_url=None)
    for router in routers:
        collected.include_router(router)
    declared = dict(_operations(collected))
    document = get_openapi(
        title=title,
        version=version,
        description=_ABOUT,
        routes=collected.routes,
        servers=[{"url": server}],
    )
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    raised: set[type[PluginError]] = set()
    for methods in document.get("paths", {}).values():
        for operation in methods.values():
            access = declared[operation["operationId"]]
            raised.update(_finish(operation, access, schemas))
    _declare(document["components"], raised)
    plain: dict[str, Any] = without_titles(document)
    plain["info"]["title"] = title  # the one title that is meant
    return plain


def write(document: Mapping[str, Any]) -> bytes:
    """The document as it is sent: small, and in UTF-8."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def write_copy(document: Mapping[str, Any]) -> bytes:
    """The document as it is committed: a line for each value, so that a change can be read."""
    return (json.dumps(document, ensure_ascii=False, indent=2) + "\n").encode()


def router(openapi: bytes) -> APIRouter:
    """The door of the document."""
    door = APIRouter()
    document = cached.Document(openapi, "application/json", cached.CHATGPT)
    cached.add(door, OPENAPI_PATH, document)
    return door


def _operations(app: FastAPI) -> Iterator[tuple[str, Access]]:
    for route in iter_route_contexts(app.routes):
        access = access_of(route.endpoint) if route.endpoint is not None else None
        if access is not None:
            yield access.action, access


def _finish(
    operation: dict[str, Any], access: Access, schemas: Mapping[str, Any]
) -> set[type[PluginError]]:
    """Complete an operation as FastAPI wrote it, and tell which errors it refers to."""
    operation["security"] = [{_SCHEME: [access.scope]}]
    operation |= _hints(access)
    operation["description"] = reflow(operation.get("description", operation["summary"]))
    for parameter in operation.get("parameters", ()):
        # FastAPI writes it beside the schema and once more inside
        parameter["schema"].pop("description", None)
    answers = operation["responses"]
    answers.pop("422", None)
    for answer in answers.values():
        if answer["description"] == _DEFAULT_ANSWER:
            answer["description"] = _describe(answer, schemas)
    with_body = problems.WITH_BODY if "requestBody" in operation else ()
    errors = {error.status: error for error in (*problems.ALWAYS, *with_body, *access.raises)}
    for status in sorted(errors):
        name = problems.name(errors[status])
        answers[str(status)] = {"$ref": f"#/components/responses/{name}"}
    return set(errors.values())


def _hints(access: Access) -> dict[str, Any]:
    """What a door may tell beyond OpenAPI; said only where the method does not say it already."""
    hints = {"x-openai-isConsequential": access.consequential}
    if access.idempotent:
        hints["x-idempotent"] = True
    if access.reads:
        hints["x-read-only"] = True
    if not access.open_world:
        hints["x-open-world"] = False
    return hints


def _describe(answer: Mapping[str, Any], schemas: Mapping[str, Any]) -> str:
    schema = answer.get("content", {}).get("application/json", {}).get("schema", {})
    named = schemas.get(str(schema.get("$ref", "")).rpartition("/")[2], {})
    return str(named.get("description", "Done."))


def _declare(components: dict[str, Any], raised: set[type[PluginError]]) -> None:
    for leftover in ("HTTPValidationError", "ValidationError"):
        components["schemas"].pop(leftover, None)
    components["schemas"] |= {
        "Problem": problems.PROBLEM,
        "ArgumentProblem": problems.ARGUMENT_PROBLEM,
    }
    components["responses"] = {
        problems.name(error): problems.answer(error)
        for error in sorted(raised, key=lambda one: (one.status, one.__name__))
    }
    components["securitySchemes"] = {
        _SCHEME: {"type": "http", "scheme": "bearer", "description": _KEY}
    }


def reflow(text: str) -> str:
    """The paragraphs of a docstring, each on one line: models pay for every character."""
    return "\n\n".join(" ".join(part.split()) for part in re.split(r"\n\s*\n", text.strip()))


def without_titles(node: Any, *, names: bool = False) -> Any:
    """Drop the titles that pydantic derives from names; `names` says that keys are the author's."""
    if isinstance(node, list):
        return [without_titles(item) for item in node]
    if not isinstance(node, dict):
        return node
    return {
        key: value
        if not names and key in _VALUES
        else without_titles(value, names=not names and key in _NAMED)
        for key, value in node.items()
        if names or key != "title" or not isinstance(value, str)
    }
