"""One key floods an engine with long answers: how long another key's short chat takes beside it.

`python -m tests.bench.chaos_fairness`

The attacker keeps 60 chats of 8 choices under way at the embedded engine (4 slots), with one worker
and with two. Then it keeps 250 slow calls under way at an upstream that is set to 64 at a time.
Exit code 1 when a call of the victim fails or is late.
"""

import argparse
import asyncio
import json
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.attacks.chats import chatting, long_chat
from tests.attacks.victims import Victims
from tests.bench.promises import Promises
from tests.clients.gpt_service import serving_gpt
from tests.journeys.running import Settings, new_key

CHATS, CHOICES, TOKENS = 60, 8, 1000
SLOW_CALLS, CONCURRENCY, SLOW = 250, 64, 20.0
SOON = 2.0
"""Seconds before the victim comes: by then the attacker holds what it can."""


async def attack(
    promises: Promises,
    settings: Settings,
    count: int,
    body: dict[str, Any],
    *,
    model: str,
    seconds: float,
) -> None:
    """Measure a victim, who asks `model`, beside `count` requests of the attacker."""
    with tempfile.TemporaryDirectory() as directory, serving_gpt(Path(directory), settings) as gpt:
        port = gpt.running.address.port
        victim = new_key(Path(directory))["key"]
        async with chatting(port, gpt.key, count, body) as told:
            await asyncio.sleep(SOON)
            with Victims(port, victim, chat=True, model=model) as victims:
                await asyncio.sleep(seconds)
        victims.tell(promises)
        promises.tell(f"the attacker was told {dict(told.statuses)} {told.errors or ''}")


@asynccontextmanager
async def slow_upstream() -> AsyncIterator[str]:
    """An upstream whose model `slow` takes its time, and `quick` none."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
                asked = json.loads(await reader.readexactly(length))
                if asked["model"] == "slow":
                    await asyncio.sleep(SLOW)
                message = {"role": "assistant", "content": "Hello."}
                choice = {"index": 0, "message": message, "finish_reason": "stop"}
                usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
                told = {"object": "chat.completion", "choices": [choice], "usage": usage}
                content = json.dumps({"id": "x", "created": 1, "model": "m", **told}).encode()
                writer.write(
                    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
                    b"content-length: %d\r\n\r\n%s" % (len(content), content)
                )
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


async def at_upstream(promises: Promises, seconds: float) -> None:
    """The same with slow calls at an upstream."""
    async with slow_upstream() as url:
        upstream = {
            "name": "far",
            "base_url": url,
            "models": ["slow", "quick"],
            "concurrency": CONCURRENCY,
        }
        settings = {"PLUGIN_ENGINE": "none", "PLUGIN_UPSTREAMS": json.dumps([upstream])}
        body = {"model": "slow", "messages": [{"role": "user", "content": "Take your time."}]}
        await attack(promises, settings, SLOW_CALLS, body, model="quick", seconds=seconds)


def main() -> None:
    """Print figures against promises."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=30)
    seconds = parser.parse_args().seconds
    promises = Promises()
    for workers in (1, 2):
        print(f"embedded engine, {workers} workers: {CHATS} chats of {CHOICES} choices")
        settings = {"PLUGIN_WORKERS": str(workers)}
        body = long_chat(CHOICES, TOKENS)
        asyncio.run(attack(promises, settings, CHATS, body, model="gpt-4", seconds=seconds))
    print(f"upstream for {CONCURRENCY} calls at a time: {SLOW_CALLS} slow calls")
    asyncio.run(at_upstream(promises, seconds))
    promises.end()


if __name__ == "__main__":
    main()
