"""`/tools?target=`: our operations as tools for a model, by the reader that reads any plugin."""

import json
from functools import cache
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from plugin.api.cached import Document
from plugin.contract.targets import Target
from plugin.operations import QueryArguments

PATH = "/tools"


class AskTools(QueryArguments):
    """Whose tool format to write."""

    target: Target = "openai"


def router(openapi: bytes) -> APIRouter:
    """The door of the tools of one document; each target is made when it is first asked for."""
    door = APIRouter()

    @cache
    def made(target: Target) -> Document:
        return Document(make(openapi, target), "application/json")

    async def send(query: Annotated[AskTools, Query()], request: Request) -> Response:
        return await made(query.target).send(request)

    door.add_api_route(PATH, send, methods=["GET", "HEAD"], include_in_schema=False)
    return door


def make(openapi: bytes, target: Target) -> bytes:
    """The tools of a document for `target`, what each one calls, and what could not be a tool."""
    from plugin.contract import openapi as reader
    from plugin.contract.tools import make_tools

    tools = make_tools(reader.read(openapi), target)
    answer = {
        "tools": tools.tools,
        "operations": {
            name: {
                "method": operation.method,
                "path": operation.path,
                "operation_id": operation.operation_id,
            }
            for name, operation in tools.operations.items()
        },
        "skipped": [{"pointer": note.pointer, "reason": note.reason} for note in tools.skipped],
    }
    return json.dumps(answer, ensure_ascii=False, separators=(",", ":")).encode()
