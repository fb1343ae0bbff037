"""Upstreams that a service knows from its start, so that the tests of a module share the service.

Each test has an upstream of its own, with a port, a circuit breaker and connections of its own.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

from tests.engines.scripted_upstream import KEY, Play, Scripted
from tests.journeys.running import free_port


class Upstreams:
    """The ports of some upstreams by their names. An upstream answers while a test plays it."""

    def __init__(self, *names: str) -> None:
        self._ports = {name: free_port() for name in names}

    def setting(self, name: str, **more: Any) -> dict[str, Any]:
        """Return the object of `PLUGIN_UPSTREAMS`; its one model has the name of the upstream."""
        url = f"http://127.0.0.1:{self._ports[name]}/v1"
        return {"name": name, "base_url": url, "api_key": KEY, "models": [name], **more}

    def settings(self, **more: Any) -> list[dict[str, Any]]:
        """Return the objects of all upstreams."""
        return [self.setting(name, **more) for name in self._ports]

    @contextlib.asynccontextmanager
    async def playing(self, name: str, *plays: Play) -> AsyncIterator[Scripted]:
        """Answer at the port of this upstream. All connections end with the block."""
        found, writers = Scripted(list(plays)), set[asyncio.StreamWriter]()

        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writers.add(writer)
            await found.handle(reader, writer)

        server = await asyncio.start_server(handle, "127.0.0.1", self._ports[name], backlog=1024)
        try:
            yield found
        finally:
            server.close()
            for writer in writers:
                writer.transport.abort()
