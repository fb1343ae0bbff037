"""The whole service before an upstream that streams slowly, for what happens to its streams."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from tests.clients.event_stream import Answered, post
from tests.engines.scripted_upstream import (
    DONE,
    KEY,
    Play,
    Scripted,
    chunk,
    counted,
    events,
    upstream,
)
from tests.journeys.running import Running, new_key, running
from tests.journeys.upstreams import Upstreams

PATIENCE = 60
_FIRST_PIECE = 0.5
"""Seconds in which a first piece comes back, on a busy machine too."""
QUESTION = {"model": "small", "messages": [{"role": "user", "content": "hi"}]}


@dataclass
class Streaming:
    """The service; each stream has `pieces` pieces of text."""

    running: Running
    directory: Path
    key: str
    pieces: int
    there: Scripted
    model: str = "small"

    def ask(self, **body: Any) -> "asyncio.Task[Answered]":
        """A stream that begins now."""
        asking = post(
            self.running.address.port,
            "/v1/chat/completions",
            self.key,
            {**QUESTION, "model": self.model, "stream": True, **body},
        )
        return asyncio.ensure_future(asyncio.wait_for(asking, PATIENCE))

    async def begun(self, number: int) -> None:
        """Return when so many requests have come to the upstream, and a first piece back."""
        async with asyncio.timeout(PATIENCE):
            while len(self.there.requests) < number:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        await asyncio.sleep(_FIRST_PIECE)

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
    port: int | None = None,
) -> AsyncIterator[Streaming]:
    """A running `plugin serve` whose only model takes `pieces` times `pause` seconds."""
    async with upstream(_song(pieces, pause)) as there:
        far = {"name": "far", "base_url": there.url, "api_key": KEY, "models": ["small"]}
        given = {"PLUGIN_UPSTREAMS": json.dumps([far]), **(settings or {})}
        entering = running(directory, "serve", *arguments, settings=given, port=port)
        started = await asyncio.to_thread(entering.__enter__)
        try:
            key = (await asyncio.to_thread(new_key, directory))["key"]
            yield Streaming(started, directory, key, pieces, there)
        finally:
            await asyncio.to_thread(entering.__exit__, None, None, None)


class Serving(Protocol):
    """A service on a data directory."""

    @property
    def running(self) -> Running: ...

    @property
    def directory(self) -> Path: ...


@dataclass(frozen=True)
class Shared:
    """A service that the tests of a module share; each of them has an upstream of its own."""

    service: Serving
    upstreams: Upstreams

    @property
    def running(self) -> Running:
        return self.service.running

    @property
    def directory(self) -> Path:
        return self.service.directory

    @property
    def workers(self) -> list[int]:
        return children(self.running.process.pid)

    @asynccontextmanager
    async def streaming(
        self, name: str, *, pieces: int = 10, pause: float = 0.1
    ) -> AsyncIterator[Streaming]:
        """Stream from the upstream `name`: `pieces` times `pause` seconds."""
        async with self.upstreams.playing(name, _song(pieces, pause)) as there:
            key = (await asyncio.to_thread(new_key, self.directory))["key"]
            yield Streaming(self.running, self.directory, key, pieces, there, name)


def _song(pieces: int, pause: float) -> Play:
    return events(*[chunk(text="la ")] * pieces, counted(), DONE, pause=pause)


def children(pid: int) -> list[int]:
    """The processes that a process has started."""
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def open_files(pid: int) -> set[Path]:
    """The files that a process holds open."""
    found = set[Path]()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):
            found.add(link.readlink())
    return found


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and is not yet buried does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def sockets_of_children(pid: int) -> dict[int, int]:
    """How many sockets each child process has open."""
    return {
        child: sum(map(_is_socket, Path(f"/proc/{child}/fd").iterdir())) for child in children(pid)
    }


def _is_socket(link: Path) -> bool:
    try:
        return str(link.readlink()).startswith("socket:")
    except FileNotFoundError:  # closed meanwhile
        return False
