"""The guarded HTTP client: how we fetch what a URL from outside names, and who may not be reached.

aiohttp is imported when the first request is made, and nowhere but here and in `sessions`. A
request takes one of three lanes:

* public: https to an address of the open internet, on port 443 or an unprivileged one;
* loopback: http or https to this machine, spelled as such, when the client was built to allow it;
* trusted: an origin that the operator named in a setting, wherever it lies. Streams of this lane
  go over connections of our own (`ways`), which cost a fraction.
"""

import asyncio
import json
from collections.abc import AsyncIterable, AsyncIterator, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

from plugin.errors import SourceUnavailable
from plugin.outbound import urls
from plugin.outbound.sessions import Lane, open_session, sendable, told_apart
from plugin.outbound.streamed import Pace, Streamed
from plugin.outbound.ways import Way, Ways, over
from plugin.trail import carried

if TYPE_CHECKING:
    from aiohttp import ClientResponse, ClientSession, ClientTimeout
    from aiohttp.abc import AbstractResolver
    from yarl import URL

__all__ = ["Fetched", "GuardedClient", "Limits", "Pace", "Streamed"]

_REDIRECTS = frozenset({301, 302, 303, 307, 308})


@dataclass(frozen=True, slots=True)
class Limits:
    """How long (seconds), how large (bytes), how far.

    `total` covers name lookup, redirects and the whole body. A stream has no such end: there `idle`
    is how long may pass between two pieces of it.
    """

    total: float = 10.0
    connect: float = 4.0
    idle: float = 600.0
    body: int = 5_000_000
    redirects: int = 5


@dataclass(frozen=True, slots=True)
class Fetched:
    """An answer, whole. `url` is the address after redirects; header names are in lower case."""

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes


class GuardedClient:
    """One connection pool a lane for the service's life; close it at the end.

    `trusted` are URLs from settings: their origins (scheme, host, port) are the operator's word.
    `allow_loopback` is for development and for commands that a person types.
    """

    def __init__(
        self,
        *,
        trusted: Collection[str] = (),
        allow_loopback: bool = False,
        limits: Limits | None = None,
        resolver: "AbstractResolver | None" = None,
    ) -> None:
        self._trusted = tuple(trusted)
        self._allow_loopback = allow_loopback
        self._limits = limits or Limits()
        self._resolver = resolver
        self._sessions: dict[tuple[Lane, bool], ClientSession] = {}
        self._timeouts: dict[Pace | None, ClientTimeout] = {}
        self._ways = Ways(self._limits.connect)
        self._usual = Pace(self._limits.idle)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close every connection."""
        sessions, self._sessions = self._sessions, {}
        for session in sessions.values():
            await session.close()
        await self._ways.close()

    async def get_json(self, url: str, params: Mapping[str, str] | None = None) -> Any:
        """The JSON value that a GET answers with 2xx.

        Raises `SourceUnavailable` when there is none: see `request`; another status; not JSON.
        """
        fetched = await self.request("GET", url, params=params)
        host = urls.host_of(fetched.url)
        if not 200 <= fetched.status < 300:  # noqa: PLR2004 - the class of success
            raise SourceUnavailable(
                f"{host} answered with status {fetched.status}. Try again later."
            )
        try:
            return json.loads(fetched.body)
        except (ValueError, RecursionError) as error:
            raise SourceUnavailable(f"{host} did not answer with JSON. Try again later.") from error

    async def fetch(self, url: str) -> Fetched:
        """What a GET answers, whatever its status. Raises as `request` does."""
        return await self.request("GET", url)

    async def request(
        self,
        method: str,
        url: str,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        follow: bool = True,
    ) -> Fetched:
        """Send one request and read the whole answer. Only GET and HEAD follow redirects.

        Without `follow` a redirect is the answer, like any other.

        Raises `AddressRefused` when the URL, or one it redirects to, is not allowed, and its parent
        `SourceUnavailable` when it is not reached, too slow or too large. Texts name the host,
        never credentials or a query.
        """
        target = urls.parse(url, params)
        try:
            async with asyncio.timeout(self._limits.total):
                sent = {name.decode(): text.decode() for name, text in carried()}
                sent.update(headers or {})
                if not follow:
                    return await self._send(self._lane(target), method, target, sent, body)
                return await self._follow(method, target, sent, body)
        except TimeoutError as error:
            raise SourceUnavailable(
                f"{target.host} did not answer within {self._limits.total:g} s. Try again later."
            ) from error

    def check(self, url: str) -> None:
        """Raise `AddressRefused` for a URL that `request` and `stream` would not open."""
        self._lane(urls.parse(url, None))

    def stream(
        self,
        method: str,
        origin: str,
        target: str,
        *,
        headers: Sequence[tuple[bytes, bytes]],
        body: AsyncIterable[bytes] | bytes | None = None,
        pace: Pace | None = None,
    ) -> AbstractAsyncContextManager[Streamed]:
        """Send one request as it is and hand on the answer as it comes; follows no redirect.

        `target` is path and query as they shall stand on the wire. Nothing is added to `headers`
        but what HTTP needs to reach the host. Raises as `request` does, but for size and time: a
        stream may be as long as it likes, if it does not fall silent (`Limits.idle`), or as its
        `pace` says.
        """
        way = self._ways.known(method, origin, target) or self._found(method, origin, target)
        quick = None if way is None else over(way, headers, body, pace or self._usual)
        return quick or self._guarded(method, origin, target, headers, body, pace)

    @asynccontextmanager
    async def _guarded(
        self,
        method: str,
        origin: str,
        target: str,
        headers: Sequence[tuple[bytes, bytes]],
        body: AsyncIterable[bytes] | bytes | None,
        pace: Pace | None,
    ) -> AsyncIterator[Streamed]:
        """A stream of any lane."""
        url = urls.with_target(urls.parse(origin, None), target)
        session = self._session(self._lane(url), bare=True)
        with told_apart(url, "did not answer in time"):
            response = await session.request(
                method,
                url,
                headers=[
                    (name.decode("latin-1"), text.decode("latin-1")) for name, text in headers
                ],
                data=sendable(body),
                allow_redirects=False,
                timeout=self._timeout(pace),
            )
        try:
            yield Streamed(response.status, response.raw_headers, _pieces(response))
        finally:
            response.close()

    def _found(self, method: str, origin: str, target: str) -> Way | None:
        """The way to a trusted origin; None where addresses have to be looked at."""
        url = urls.with_target(urls.parse(origin, None), target)
        if self._resolver is not None or self._lane(url) is not Lane.TRUSTED:
            return None
        return self._ways.find(method, origin, target, url)

    def _timeout(self, pace: Pace | None) -> "ClientTimeout":
        if pace not in self._timeouts:
            from aiohttp import ClientTimeout

            limits = self._limits
            idle, total = (limits.idle, None) if pace is None else (pace.idle, pace.total)
            self._timeouts[pace] = ClientTimeout(
                total=total, sock_connect=limits.connect, sock_read=idle
            )
        return self._timeouts[pace]

    async def _follow(
        self, method: str, target: "URL", headers: dict[str, str], body: bytes | None
    ) -> Fetched:
        lane = self._lane(target)
        for _ in range(self._limits.redirects + 1):
            fetched = await self._send(lane, method, target, headers, body)
            location = fetched.headers.get("location")
            if method not in {"GET", "HEAD"} or fetched.status not in _REDIRECTS or not location:
                return fetched
            following = urls.join(target, location)
            if following.origin() != target.origin():
                # A stranger's redirect must not open a lane that only we may choose,
                # and credentials were meant for the first host alone.
                lane, headers = self._lane_of_redirect(following), {}
            target = following
        raise SourceUnavailable(
            f"{target.host} redirects more than {self._limits.redirects} times."
        )

    @cached_property
    def _trusted_origins(self) -> "frozenset[URL]":
        return frozenset(urls.parse(trusted, None).origin() for trusted in self._trusted)

    def _lane(self, url: "URL") -> Lane:
        if url.origin() in self._trusted_origins:
            return Lane.TRUSTED
        if self._allow_loopback and urls.spells_loopback(url):
            return Lane.LOOPBACK
        urls.check_public(url)
        return Lane.PUBLIC

    def _lane_of_redirect(self, url: "URL") -> Lane:
        urls.check_public(url)
        return Lane.PUBLIC

    async def _send(
        self, lane: Lane, method: str, url: "URL", headers: dict[str, str], body: bytes | None
    ) -> Fetched:
        with told_apart(url):
            async with self._session(lane).request(
                method, url, headers=headers, data=body, allow_redirects=False
            ) as response:
                content = await self._read(response)
                names = {name.lower(): value for name, value in response.headers.items()}
                return Fetched(str(response.url), response.status, names, content)

    async def _read(self, response: "ClientResponse") -> bytes:
        limit = self._limits.body
        content = bytearray()
        # aiohttp unpacks compressed bodies piece by piece, so a bomb is cut off here as well
        async for piece in response.content.iter_any():
            content += piece
            if len(content) > limit:
                raise SourceUnavailable(f"{response.url.host} sent more than {limit} bytes.")
        return bytes(content)

    def _session(self, lane: Lane, *, bare: bool = False) -> "ClientSession":
        if (lane, bare) not in self._sessions:
            limits = self._limits
            self._sessions[lane, bare] = open_session(
                lane, self._resolver, connect=limits.connect, idle=limits.idle, bare=bare
            )
        return self._sessions[lane, bare]


async def _pieces(response: "ClientResponse") -> AsyncIterator[bytes]:
    with told_apart(response.url, "fell silent in the middle of its answer"):
        async for piece in response.content.iter_any():
            yield piece
