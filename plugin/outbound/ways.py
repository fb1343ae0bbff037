"""Ways to trusted origins: a pool of connections each, and what all requests to one path share."""

from collections.abc import AsyncIterable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING

from plugin.outbound.streamed import Pace, Streamed

if TYPE_CHECKING:
    from yarl import URL

    from plugin.outbound.pool import Pool

_MOST = 100
"""Paths of trusted origins that are remembered ready to be used."""

_OF_THE_CONNECTION = frozenset({b"connection", b"content-length", b"host", b"transfer-encoding"})
"""Headers that a pool writes itself; a request that has its own does not go this way."""

Way = tuple["Pool", bytes]
"""A pool, and the first lines of a request's head."""


class Ways:
    """What one client knows of the origins that it trusts; `connect` are seconds."""

    def __init__(self, connect: float) -> None:
        self._connect = connect
        self._pools: dict[URL, Pool] = {}
        self._known: dict[tuple[str, str, str], Way] = {}

    def known(self, method: str, origin: str, target: str) -> Way | None:
        """The way that was taken before."""
        return self._known.get((method, origin, target))

    def find(self, method: str, origin: str, target: str, url: "URL") -> Way:
        """The way to `url`, which is `origin` and `target` in one."""
        pool = self._pools.get(url.origin())
        if pool is None:
            from plugin.outbound.pool import Pool

            pool = self._pools[url.origin()] = Pool(url.origin(), self._connect)
        way = pool, pool.begin_of(method, target)
        if len(self._known) < _MOST:
            self._known[method, origin, target] = way
        return way

    async def close(self) -> None:
        """End every connection."""
        pools, self._pools, self._known = self._pools, {}, {}
        for pool in pools.values():
            await pool.close()


def over(
    way: Way,
    headers: Sequence[tuple[bytes, bytes]],
    body: AsyncIterable[bytes] | bytes | None,
    pace: Pace,
) -> AbstractAsyncContextManager[Streamed] | None:
    """The request over a pool's connection, or None where it is not of the simple kind."""
    if body is not None and not isinstance(body, bytes):
        return None
    if not _OF_THE_CONNECTION.isdisjoint([name.lower() for name, _ in headers]):
        return None
    pool, begin = way
    return pool.exchange(begin, headers, body, pace)
