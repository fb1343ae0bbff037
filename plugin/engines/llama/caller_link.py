"""The link to the embedded engine as the request of one caller uses it."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from plugin.engines.llama.link import Link, Server


class CallerLink(Link):
    """Asks through `link`, in the turn of `caller`."""

    def __init__(self, link: Link, caller: str) -> None:
        self._link = link
        self._caller = caller
        self.suspects = link.suspects

    def context(self) -> int:
        """See `Link`."""
        return self._link.context()

    async def post(
        self, server: Server, path: str, body: Mapping[str, Any], *, caller: str = ""
    ) -> Any:
        """See `Link`."""
        return await self._link.post(server, path, body, caller=caller or self._caller)

    @asynccontextmanager
    async def events(
        self, path: str, body: Mapping[str, Any], *, caller: str = ""
    ) -> AsyncIterator[AsyncIterator[dict[str, Any]]]:
        """See `Link`."""
        async with self._link.events(path, body, caller=caller or self._caller) as events:
            yield events
