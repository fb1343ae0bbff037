"""A stand-in for an OpenAI-compatible upstream: quick fixed answers of every kind, on loopback."""

import asyncio
import itertools
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from plugin.engines.engine import Ask, Whole
from plugin.engines.scripted import Scripted
from plugin.gpt.moderation import result

KEY = "sk-of-the-stand-in"
MODELS = {
    "stand-in-text": "text",
    "stand-in-vectors": "embedding",
    "gpt-image-1": "image",
    "omni-moderation-latest": "moderation",
}
ALIASES = {
    "gpt-4o-mini": "stand-in-text",
    "text-davinci-003": "stand-in-text",
    "text-embedding-ada-002": "stand-in-vectors",
}


def settings_for(url: str) -> dict[str, str]:
    """The settings of a service that has nothing but the stand-in at `url`."""
    offered = [{"id": name, "kind": kind} for name, kind in MODELS.items()]
    upstream = {"name": "stand-in", "base_url": url, "api_key": KEY, "models": offered}
    return {
        "PLUGIN_ENGINE": "none",
        "PLUGIN_UPSTREAMS": json.dumps([upstream]),
        "PLUGIN_MODEL_ALIASES": json.dumps(ALIASES),
    }


@contextmanager
def stand_in() -> Iterator[str]:
    """Its address, as long as it listens."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers["content-length"]))
        path = self.path.removeprefix("/v1/")
        if "json" in self.headers["content-type"]:
            body = json.loads(content)
        else:
            body = {"stream": b'name="stream"\r\n\r\ntrue' in content}
        kind, answer = asyncio.run(_answer(path, body))
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: Any) -> None:
        """Nothing is logged."""


async def _answer(path: str, body: dict[str, Any]) -> tuple[str, bytes]:
    if path.startswith("images/"):
        if body.get("stream"):
            return "text/event-stream", _PAINTED
        return "application/json", json.dumps(_IMAGES).encode()
    if path == "moderations":
        return "application/json", json.dumps(_judged(body["input"])).encode()
    # an upstream never hears the nulls
    answer = await Scripted().answer(Ask(path, body, body["model"], body["model"]))
    if isinstance(answer, Whole):
        return "application/json", answer.body
    return "text/event-stream", b"".join([piece async for piece in answer.pieces])


_IMAGES = {"created": 1_700_000_000, "data": [{"url": "https://example.com/a.png"}]}
_PAINTED = (
    b"event: image_generation.completed\n"
    b'data: {"type": "image_generation.completed", "b64_json": ""}\n\n'
)
_numbers = itertools.count()


def _judged(given: Any) -> dict[str, Any]:
    texts = isinstance(given, list) and isinstance(given[0], str)
    results = [result(set())] * (len(given) if texts else 1)
    return {"id": f"modr-{next(_numbers)}", "model": "omni-moderation-latest", "results": results}
