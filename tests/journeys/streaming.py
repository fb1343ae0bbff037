"""The whole service before an upstream that streams slowly, for what happens to its streams."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.clients.event_stream import Answered, post
from tests.engines.scripted_upstream import DONE, KEY, Scripted, chunk, counted, events, upstream
from tests.journeys.running import Running, new_key, running

PATIENCE = 60
QUESTION = {"model": "small", "messages": [{"role": "user", "content": "hi"}]}


@dataclass
class Streaming:
    """The service; each stream has `pieces` pieces of text."""

    running: Running
    directory: Path
    key: str
    pieces: int
    there: Scripted

    def ask(self, **body: Any) -> "asyncio.Task[Answered]":
        """A stream that begins now."""
        asking = post(
            self.running.address.port,
            "/v1/chat/completions",
            self.key,
            {**QUESTION, "stream": True, **body},
        )
        return asyncio.ensure_future(asyncio.wait_for(asking, PATIENCE))

    async def begun(self, number: int) -> None:
        """Return when so many requests have come to the upstream, and a first piece back."""
        async with asyncio.timeout(PATIENCE):
            while len(self.there.requests) < number:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        await asyncio.sleep(0.3)

    def is_whole(self, answered: Answered) -> bool:
        """Whether nothing is missing."""
        return (answered.status, answered.tokens, answered.done) == (200, self.pieces, True)


@asynccontextmanager
async def streaming(
    directory: Path,
    *arguments: str,
    pieces: int = 10,
    pause: float = 0.1,
    settings: Mapping[str, str] | None = None,
) -> AsyncIterator[Streaming]:
    """A running `plugin serve` whose only model takes `pieces` times `pause` seconds."""
    play = events(*[chunk(text="la ")] * pieces, counted(), DONE, pause=pause)
    async with upstream(play) as there:
        far = {"name": "far", "base_url": there.url, "api_key": KEY, "models": ["small"]}
        given = {"PLUGIN_UPSTREAMS": json.dumps([far]), **(settings or {})}
        entering = running(directory, "serve", *arguments, settings=given)
        started = await asyncio.to_thread(entering.__enter__)
        try:
            key = (await asyncio.to_thread(new_key, directory))["key"]
            yield Streaming(started, directory, key, pieces, there)
        finally:
            await asyncio.to_thread(entering.__exit__, None, None, None)


def children(pid: int) -> list[int]:
    """The processes that a process has started."""
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and is not yet buried does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
