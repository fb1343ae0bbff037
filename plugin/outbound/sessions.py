"""Connections by lane: which addresses a socket may be opened to, and what failed when one was not.

A lane says which addresses a socket may really be opened to, so that neither a clever spelling nor
a name that resolves to another address the second time leads inside.
"""

import io
import socket
from collections.abc import AsyncIterable, Iterator
from contextlib import contextmanager
from enum import Enum
from typing import TYPE_CHECKING, Any

from plugin.errors import SourceUnavailable
from plugin.outbound import addresses
from plugin.outbound.urls import AddressRefused

if TYPE_CHECKING:
    from aiohttp import ClientSession
    from aiohttp.abc import AbstractResolver
    from yarl import URL


_IN_ONE_WRITE = 1_000_000
"""Bytes of a body above which it is sent piece by piece, so that others get their turn."""


class SourceTooSlow(SourceUnavailable):
    """It was reached, and then did not answer in time or fell silent."""


class _Inside(OSError):  # noqa: N818 - aiohttp carries it to the surface as the reason of a failed connect
    """The name leads to an address that the lane does not permit."""


class Lane(Enum):
    """Which rule a request goes by."""

    PUBLIC = "public"
    LOOPBACK = "loopback"
    TRUSTED = "trusted"

    def permits(self, address: addresses.Address) -> bool:
        """Whether a socket may be opened to this address."""
        if self is Lane.PUBLIC:
            return addresses.is_public(address)
        return self is Lane.TRUSTED or addresses.is_loopback(address)


def open_session(
    lane: Lane, resolver: "AbstractResolver | None", *, connect: float, idle: float, bare: bool
) -> "ClientSession":
    """A pool of connections for one lane; `connect` and `idle` are seconds.

    A bare one adds no header, unpacks nothing, and opens as many connections as it is asked for:
    each stream holds one for as long as it lasts.
    """
    from aiohttp import ClientSession, ClientTimeout, DummyCookieJar, TCPConnector

    def guarded_socket(info: tuple[Any, ...]) -> socket.socket:
        family, kind, protocol, _, sockaddr = info
        address = addresses.read(str(sockaddr[0]).partition("%")[0])
        if address is None or not lane.permits(address):
            # one text for every address, so that aiohttp passes it on when all are refused
            raise _Inside("not an address of this lane")
        return socket.socket(family, kind, protocol)

    if bare:
        return ClientSession(
            connector=TCPConnector(socket_factory=guarded_socket, resolver=resolver, limit=0),
            cookie_jar=DummyCookieJar(),
            timeout=ClientTimeout(total=None, sock_connect=connect, sock_read=idle),
            skip_auto_headers=("Accept", "Accept-Encoding", "Content-Type", "User-Agent"),
            auto_decompress=False,
            trust_env=False,
        )
    return ClientSession(
        connector=TCPConnector(socket_factory=guarded_socket, resolver=resolver),
        cookie_jar=DummyCookieJar(),
        timeout=ClientTimeout(total=None, sock_connect=connect),
        headers={"User-Agent": "gpt-plugin", "Accept": "application/json, */*;q=0.5"},
        trust_env=False,
    )


def sendable(body: AsyncIterable[bytes] | bytes | None) -> Any:
    """A body in the form in which aiohttp sends it best."""
    if isinstance(body, bytes) and len(body) > _IN_ONE_WRITE:
        return io.BytesIO(body)
    return body


@contextmanager
def told_apart(url: "URL", late: str = "") -> Iterator[None]:
    """What can go wrong while a request is on its way, as one of our errors.

    `late` says what a time-out means; without it that is for the caller to say.
    """
    try:
        yield
    except Exception as error:
        told = _told(error, url, late)
        if told is None:
            raise
        raise told from error


def _told(error: Exception, url: "URL", late: str) -> SourceUnavailable | None:
    from aiohttp import ClientError, ConnectionTimeoutError

    # uvloop raises RuntimeError
    if not isinstance(error, (ClientError, ValueError, OSError, RuntimeError)):
        return None
    if isinstance(error, TimeoutError) and not late:
        return None
    if isinstance(error, TimeoutError) and not isinstance(error, ConnectionTimeoutError):
        return SourceTooSlow(f"{url.host} {late}. Try again later.")
    if isinstance(getattr(error, "os_error", None), _Inside):
        return AddressRefused(
            f"{url.host} leads to an address that is not public; it is not opened."
        )
    return SourceUnavailable(f"{url.host} cannot be reached. Try again later.")
