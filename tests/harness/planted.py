"""A small service with a contract, and answers that keep or break it."""

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

from plugin.harness.asgi import Message

ITEM = {
    "type": "object",
    "properties": {"id": {"type": "integer"}, "name": {"type": "string"}},
    "required": ["id", "name"],
}
PROBLEM = {
    "type": "object",
    "properties": {"detail": {"type": "string"}},
    "required": ["detail"],
}


def _content(schema: Any) -> dict[str, Any]:
    return {"description": "…", "content": {"application/json": {"schema": schema}}}


def _path(name: str, schema: Any) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": schema}


DOCUMENT: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {"title": "Items", "version": "1"},
    "paths": {
        "/items/{id}": {
            "get": {
                "operationId": "get_item",
                "parameters": [
                    _path("id", {"type": "integer", "minimum": 1}),
                    {
                        "name": "since",
                        "in": "query",
                        "schema": {"type": "string", "format": "date"},
                    },
                ],
                "responses": {
                    "200": _content(ITEM),
                    "404": _content(PROBLEM),
                    "422": _content(PROBLEM),
                    "503": _content(PROBLEM),
                },
            },
            "delete": {
                "operationId": "delete_item",
                "parameters": [_path("id", {"type": "integer"})],
                "responses": {"204": {"description": "gone"}, "4XX": _content(PROBLEM)},
            },
        },
        "/items": {
            "post": {
                "operationId": "add_item",
                "requestBody": {
                    "required": True,
                    "content": {
                        "application/json": {
                            "schema": {
                                "type": "object",
                                "properties": {
                                    "name": {"type": "string"},
                                    "tags": {"type": "array", "items": {"type": "string"}},
                                },
                                "required": ["name"],
                            }
                        }
                    },
                },
                "responses": {"201": _content(ITEM), "422": _content(PROBLEM)},
            }
        },
        "/names/{name}": {
            "get": {
                "operationId": "get_by_name",
                "parameters": [_path("name", {"type": "string"})],
                "responses": {"200": _content(ITEM), "default": _content(PROBLEM)},
            },
        },
        "/sessions": {
            "post": {
                "operationId": "search_items",
                "x-openai-isConsequential": False,
                "responses": {"200": _content({"type": "array", "items": ITEM})},
            },
            "get": {
                "operationId": "open_session",
                "x-openai-isConsequential": True,
                "responses": {"200": _content({})},
            },
        },
    },
}
SECURED = {
    **DOCUMENT,
    "security": [{"bearer": []}],
    "components": {"securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}}},
}


@dataclass(frozen=True)
class Planted:
    """What the service does with a request: what it answers, how late, or what it raises."""

    status: int = 200
    body: Any = field(default_factory=lambda: {"id": 1, "name": "one"})
    content_type: str | None = "application/json"
    seconds: float = 0.0
    raises: Exception | None = None
    silent: bool = False

    @property
    def content(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        return [(b"Content-Type", self.content_type.encode())] if self.content_type else []


@dataclass
class Service:
    """An ASGI application without a lifespan that answers every request as planted."""

    planted: Planted = field(default_factory=Planted)
    document: dict[str, Any] = field(default_factory=lambda: DOCUMENT)
    seen: list[dict[str, Any]] = field(default_factory=list)

    async def __call__(self, scope: Message, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            raise RuntimeError("this application speaks HTTP only")
        if scope["path"] == "/openapi.json":
            await _answer(send, Planted(body=self.document))
            return
        message = await receive()
        self.seen.append({**scope, "body": message["body"]})
        await asyncio.sleep(self.planted.seconds)
        if self.planted.raises is not None:
            raise self.planted.raises
        if not self.planted.silent:
            await _answer(send, self.planted)


async def _answer(send: Any, planted: Planted) -> None:
    await send(
        {"type": "http.response.start", "status": planted.status, "headers": planted.headers}
    )
    half = len(planted.content) // 2
    await send({"type": "http.response.body", "body": planted.content[:half], "more_body": True})
    await send({"type": "http.response.body", "body": planted.content[half:]})
