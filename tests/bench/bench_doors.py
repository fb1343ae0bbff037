"""CPU of one request through the doors of the GPT API, before an engine that costs next to nothing.

`python -m tests.bench.bench_doors`
"""

import asyncio
import time
from typing import Any

import orjson

from plugin.engines.scripted import Scripted
from tests.api.v1.scripted_doors import Doors

REQUESTS, ROUNDS = 1_000, 5
CHAT = "/v1/chat/completions"
HELLO = {
    "model": "gpt-4",
    "messages": [
        {"role": "system", "content": "You are brief."},
        {"role": "user", "content": "Hello, how are you today? " * 10},
    ],
    "temperature": 0.7,
    "max_tokens": 100,
}
TOOL = {
    "type": "function",
    "function": {
        "name": "find",
        "description": "Finds what is asked for.",
        "parameters": {"type": "object", "properties": {"what": {"type": "string"}}},
    },
}
CASES: dict[str, tuple[str, Any]] = {
    "chat, whole": (CHAT, HELLO),
    "chat, 9 events": (CHAT, {**HELLO, "stream": True}),
    "chat, 10 tools": (CHAT, {**HELLO, "tools": [TOOL] * 10}),
    "embedding": ("/v1/embeddings", {"model": "text-embedding-ada-002", "input": "hello"}),
}


async def cpu(path: str, body: Any) -> float:
    """Seconds of CPU of one request, at best."""
    engine = Scripted(["Hello there, how can I help?"])
    doors, content, best = Doors(engine), orjson.dumps(body), float("inf")
    for _ in range(ROUNDS):
        started = time.process_time()
        for _ in range(REQUESTS):
            await doors("POST", path, content)
        best = min(best, (time.process_time() - started) / REQUESTS)
        engine.asked.clear()
        doors.records.clear()
    return best


async def main() -> None:
    """Print a line for each case."""
    for name, (path, body) in CASES.items():
        print(f"{name:16} {await cpu(path, body) * 1e6:6.0f} µs")


if __name__ == "__main__":
    asyncio.run(main())
