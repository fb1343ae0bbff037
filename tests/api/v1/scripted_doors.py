"""The doors of the GPT API before a scripted engine, called as a server calls them."""

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from types import SimpleNamespace
from typing import Any

from fastapi import APIRouter, FastAPI

from plugin.api.body_limit import BodyLimit
from plugin.api.gateway import Admit, Gateway, route_table
from plugin.api.middleware import RequestLog
from plugin.api.route_table import RouteTable
from plugin.api.v1 import chat, completions, edits, embeddings, models
from plugin.engines.catalog import Catalog, Model
from plugin.engines.engine import Engine
from plugin.engines.scripted import Scripted
from tests.conftest import Records, Reply, authenticate
from tests.pools.threads import some_pools

ROUTERS: Sequence[APIRouter] = (
    chat.router,
    completions.router,
    edits.router,
    embeddings.router,
    models.router,
)
MODELS = (
    Model(
        *("scripted", "text", "tests", 4096, "says what it was told to", "2030-01-01"),
        languages=("en",),
        created=1_700_000_000,
    ),
    Model("hub/vectors:8", "embedding", "tests"),
)
ALIASES = {"gpt-4": "scripted", "text-embedding-ada-002": "hub/vectors:8"}


@dataclass
class Call:
    """A request on its way: what has come back, and a way to hang up."""

    body: bytes
    messages: list[Any] = field(default_factory=list)
    hung_up: asyncio.Event = field(default_factory=asyncio.Event)
    sent: bool = False

    async def receive(self) -> dict[str, Any]:
        if not self.sent:
            self.sent = True
            return {"type": "http.request", "body": self.body, "more_body": False}
        await self.hung_up.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        self.messages.append(message)

    @property
    def reply(self) -> Reply:
        start, *rest = self.messages or [{"status": 0}]
        headers = {name.decode(): value.decode() for name, value in start.get("headers", ())}
        body = b"".join(message.get("body", b"") for message in rest)
        return Reply(start["status"], headers, body)

    @property
    def ended(self) -> bool:
        """Whether the answer is complete."""
        return bool(self.messages) and not self.messages[-1].get("more_body", False)


class Doors:
    """All layers of the service around the doors for text; `engine` answers."""

    def __init__(
        self, engine: Engine | None = None, limit: int = 1_000_000, admit: Admit | None = None
    ) -> None:
        self.engine = engine or Scripted()
        self.records = Records()
        self._inner, table = _application()
        catalog = Catalog([(model, self.engine) for model in MODELS], ALIASES)
        self._services = SimpleNamespace(catalog=catalog, pools=some_pools())
        gateway = Gateway(self._inner, table, authenticate, admit)
        self.app = RequestLog(BodyLimit(gateway, limit), self.records, time.perf_counter)

    def begin(
        self, method: str, path: str, body: Any = None, **headers: str
    ) -> tuple[Call, "asyncio.Task[None]"]:
        """Send a request, and leave it on its way."""
        content = (
            body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        )
        call = Call(content)
        sent = {"authorization": "Bearer all", "content-length": str(len(content))}
        if content:
            sent["content-type"] = "application/json"
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        path, _, query = path.partition("?")
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [(name.encode(), value.encode()) for name, value in sent.items() if value],
            "client": ("127.0.0.1", 50_000),
            "server": ("127.0.0.1", 8000),
        }
        return call, asyncio.ensure_future(self._run(scope, call))

    async def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> Reply:
        """Send a request, and wait for the whole answer."""
        call, task = self.begin(method, path, body, **headers)
        await task
        return call.reply

    async def _run(self, scope: dict[str, Any], call: Call) -> None:
        self._inner.state.services = self._services
        await self.app(scope, call.receive, call.send)


def _written(body: Any) -> bytes:
    return b"" if body is None else json.dumps(body).encode()


@cache
def _application() -> tuple[FastAPI, RouteTable]:
    """Made once, as it takes long; one pair of doors is open at a time."""
    app = FastAPI(openapi_url=None)
    for router in ROUTERS:
        app.include_router(router)
    return app, route_table(app, [])
