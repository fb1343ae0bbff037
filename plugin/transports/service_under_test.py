"""The service that a replay sends to: an application in this process, or a URL."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from importlib import import_module
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from plugin.contract.openapi import read
from plugin.contract.operation import Contract
from plugin.contract.requests.request import Request
from plugin.errors import CannotRun, SourceUnavailable
from plugin.harness.asgi import Application, AsgiService
from plugin.harness.exchange import Response, Send, Unreachable
from plugin.harness.refusals import State
from plugin.masking import masked_address

if TYPE_CHECKING:
    from plugin.outbound.client import GuardedClient

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_HIDDEN = "[the key]"
_SHORTEST_SECRET = 8
"""Shorter keys are words that an answer may well hold by chance."""
_PATIENCE = 10.0
"""Seconds to wait for a service to take a connection."""
_DOCUMENT = Request("GET", "/openapi.json", "", (), b"")


@dataclass(frozen=True, slots=True)
class Where:
    """Where the calls go: to `app` (named, or an object) or to `url`."""

    app: str | Application | None = None
    url: str | None = None
    key: str | None = None
    allowed_hosts: tuple[str, ...] = ()
    seconds: float = 45.0


@dataclass(frozen=True, slots=True)
class UnderTest:
    """An open service: its name for people, and the way to it.

    `state` tells what its operations have stored, where one can look into its database.
    """

    name: str
    send: Send
    state: State | None = None

    async def contract(self) -> Contract:
        """The contract that the service itself publishes."""
        try:
            response = await self.send(_DOCUMENT)
        except Unreachable as error:
            raise CannotRun(f"{self.name} cannot be reached: {error}") from None
        if response.status != 200:  # noqa: PLR2004 - the one status that carries the document
            raise CannotRun(
                f"{self.name} has no /openapi.json (status {response.status}); "
                "give its document with --openapi"
            )
        return read(response.body)


def has_base_path(where: Where) -> bool:
    """Whether `--url` says itself under which path the service lies."""
    return bool(where.url and urlsplit(where.url).path.strip("/"))


@asynccontextmanager
async def open_service(where: Where) -> AsyncIterator[UnderTest]:
    """Open the service; what it needed is closed and removed at the end."""
    if where.url:
        opened = _open_url(where.url, where)
    elif where.app:
        application = _load(where.app) if isinstance(where.app, str) else where.app
        name = where.app if isinstance(where.app, str) else "the application"
        opened = open_application(application, name, where.key, where.seconds)
    else:
        raise CannotRun("give the service with --url or --app")
    async with opened as service:
        yield replace(service, send=_hiding(where.key, service.send))


@asynccontextmanager
async def open_application(
    application: Application, name: str, key: str | None, seconds: float
) -> AsyncIterator[UnderTest]:
    """Open an application of this process; `key` goes with each call.

    Raises `CannotRun` when its start fails.
    """
    async with AsyncExitStack() as stack:
        try:
            service = await stack.enter_async_context(
                AsgiService(application, _authorization(key), seconds)
            )
        except Unreachable as error:
            raise CannotRun(f"{name}: {error}") from None
        yield UnderTest(name, service.send)


def _load(target: str) -> Application:
    """The application that `module:attribute` names; a function without parameters makes it."""
    module, _, attribute = target.partition(":")
    if not module or not attribute:
        raise CannotRun(f"--app {target}: expected module:attribute, as in my_service.main:app")
    if "" not in sys.path:
        sys.path.insert(0, "")  # a command on the path does not look where it is started
    try:
        found: Any = import_module(module)
        for name in attribute.split("."):
            found = getattr(found, name)
        application: Application = found() if _is_factory(found) else found
    except Exception as error:  # noqa: BLE001 - it is the user's code that runs here
        raise CannotRun(f"--app {target}: {type(error).__name__}: {error}") from None
    if not callable(application):
        raise CannotRun(f"--app {target} is {type(application).__name__}, not an application")
    return application


def _is_factory(found: Any) -> bool:
    """A plain function that asks for nothing makes an application; anything else is one."""
    import inspect

    if not inspect.isfunction(found):
        return False
    return not any(
        parameter.default is parameter.empty
        and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
        for parameter in inspect.signature(found).parameters.values()
    )


@asynccontextmanager
async def _open_url(url: str, where: Where) -> AsyncIterator[UnderTest]:
    from plugin.outbound.client import GuardedClient, Limits

    host = urlsplit(url).hostname or ""
    if not host:
        raise CannotRun(
            f"--url {masked_address(url)} is no address; write it as http://127.0.0.1:9000"
        )
    if host not in _LOOPBACK and host not in map(str.lower, where.allowed_hosts):
        raise CannotRun(f"{host} is not this machine; --allow-host {host} sends the calls there")
    await _knock(url)
    limits = Limits(total=where.seconds, body=50_000_000)
    async with GuardedClient(trusted=(url,), limits=limits) as client:
        send = _http_sender(client, url.rstrip("/"), _authorization(where.key))
        yield UnderTest(masked_address(url), send)


async def _knock(url: str) -> None:
    """A service that is not there has broken no contract: that is for the caller to mend."""
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        opening = asyncio.open_connection(parts.hostname, port)
        _, writer = await asyncio.wait_for(opening, _PATIENCE)
    except (OSError, TimeoutError):
        raise CannotRun(
            f"nothing answers at {masked_address(url)}; start the service, or mend --url"
        ) from None
    writer.close()
    await writer.wait_closed()


def _http_sender(client: "GuardedClient", base: str, headers: tuple[tuple[str, str], ...]) -> Send:
    async def send(request: Request) -> Response:
        address = f"{base}{request.path}" + (f"?{request.query}" if request.query else "")
        try:
            fetched = await client.request(
                request.method,
                address,
                headers={**dict(headers), **dict(request.headers)},
                body=request.body or None,
                follow=False,
            )
        except SourceUnavailable as error:
            raise Unreachable(error.detail) from error
        return Response(fetched.status, tuple(fetched.headers.items()), fetched.body)

    return send


def _hiding(key: str | None, send: Send) -> Send:
    """A way to the service whose answers never show the key, even if the service repeats it."""
    if not key or len(key) < _SHORTEST_SECRET:
        return send
    secret = key.encode()

    async def send_and_hide(request: Request) -> Response:
        try:
            response = await send(request)
        except Unreachable as error:
            raise Unreachable(str(error).replace(key, _HIDDEN)) from None
        if secret not in response.body:
            return response
        return Response(
            response.status, response.headers, response.body.replace(secret, _HIDDEN.encode())
        )

    return send_and_hide


def _authorization(key: str | None) -> tuple[tuple[str, str], ...]:
    return (("authorization", f"Bearer {key}"),) if key else ()
