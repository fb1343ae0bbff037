"""Calls of the GPT API from the command line, by the standard library: it is there at once."""

import json
import ssl
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit

from plugin.cli.gpt_api.api_account import Account
from plugin.cli.gpt_api.api_refusals import (
    CallFailed,
    broken_off,
    hung_up,
    in_stream,
    not_the_api,
    refused,
)
from plugin.errors import CannotRun

_CONNECT_SECONDS = 10.0
_LONGEST_ERROR = 1_000_000
_NEAR = ("127.0.0.1", "localhost", "::1")
_END = "[DONE]"


@dataclass(frozen=True, slots=True)
class Body:
    """What is sent: bytes, and their media type."""

    content: bytes
    kind: str = "application/json"


def as_json(value: Mapping[str, Any]) -> Body:
    """A JSON body. Raises CannotRun for text that no encoding has."""
    try:
        return Body(json.dumps(value, ensure_ascii=False).encode())
    except UnicodeEncodeError:
        raise CannotRun("an argument is not UTF-8 text; set LANG to a UTF-8 locale") from None


class Client:
    """Sends to one address with one key. `seconds` is the longest wait for the next byte."""

    def __init__(self, account: Account, seconds: float) -> None:
        self._account = account
        self._seconds = seconds
        handlers: list[urllib.request.BaseHandler] = [_Http(), _Https(), _NoRedirect()]
        if urlsplit(account.base_url).hostname in _NEAR:
            # A proxy cannot know what this machine calls itself, and would see the key.
            handlers.append(urllib.request.ProxyHandler({}))
        self._opener = urllib.request.build_opener(*handlers)

    @property
    def base_url(self) -> str:
        """Where it sends to."""
        return self._account.base_url

    def call(self, method: str, path: str, body: Body | None = None) -> bytes:
        """The whole answer. Raises CallFailed, or CannotRun when nothing is there to call."""
        with self._open(method, path, body, "application/json") as response:
            return response.read()

    def json(self, method: str, path: str, body: Body | None = None) -> Any:
        """The whole answer, read. Raises as `call`, and CallFailed for what is not JSON."""
        try:
            return json.loads(self.call(method, path, body))
        except ValueError:
            raise not_the_api(self._account.base_url) from None

    def events(self, path: str, body: Body) -> Iterator[dict[str, Any]]:
        """The objects of an event stream as they come. A stream without its end is CallFailed."""
        address = self._account.base_url
        with self._open("POST", path, body, "text/event-stream") as response:
            if response.headers.get_content_type() != "text/event-stream":
                raise not_the_api(address)
            for data in _data(response):
                if data == _END:
                    return
                yield _event(data, address)
        raise broken_off(address)

    @contextmanager
    def _open(
        self, method: str, path: str, body: Body | None, accept: str
    ) -> Iterator[HTTPResponse]:
        account = self._account
        headers = {"Accept": accept, "User-Agent": "gpt-plugin"}
        if account.key:
            headers["Authorization"] = f"Bearer {account.key}"
        if body is not None:
            headers["Content-Type"] = body.kind
        request = urllib.request.Request(  # noqa: S310 - the account's address is http or https
            account.base_url + path, body.content if body else None, headers, method=method
        )
        began = False
        try:
            with self._opener.open(request, timeout=self._seconds) as response:
                began = True
                yield response
        except HTTPError as error:
            with error:
                told = _rest(error)
            names = {name.lower(): value for name, value in error.headers.items()}
            raise refused(error.code, names, told, account.base_url) from None
        except URLError as error:
            raise CannotRun(_unreachable(account, error.reason)) from None
        except TimeoutError:
            raise CallFailed(
                f"{account.base_url} sent nothing for {self._seconds:g} s (the service's side)",
                "send it again, or wait longer with --timeout SECONDS",
            ) from None
        except (OSError, HTTPException):
            raise (broken_off if began else hung_up)(account.base_url) from None


def _data(response: HTTPResponse) -> Iterator[str]:
    """The data of each event; a line never ends within a character."""
    lines: list[str] = []
    for raw in response:
        line = raw.decode("utf-8", "replace").rstrip("\r\n")
        if line.startswith("data:"):
            lines.append(line[5:].removeprefix(" "))
        elif not line and lines:
            yield "\n".join(lines)
            lines = []
    if lines:
        yield "\n".join(lines)


def _event(data: str, address: str) -> dict[str, Any]:
    try:
        event = json.loads(data)
    except ValueError:
        raise not_the_api(address) from None
    if not isinstance(event, dict):
        raise not_the_api(address)
    if event.get("error"):
        raise in_stream(event["error"])
    return event


def _rest(error: HTTPError) -> bytes:
    try:
        return error.read(_LONGEST_ERROR)
    except (OSError, HTTPException):
        return b""


def _unreachable(account: Account, reason: Any) -> str:
    where = account.base_url
    here = urlsplit(where).hostname in _NEAR
    if isinstance(reason, ConnectionRefusedError) and here:
        return (
            f"no service runs at {where}; start one with `make up` or `plugin up`, or set "
            "OPENAI_BASE_URL to one that runs"
        )
    if isinstance(reason, ssl.SSLError):
        return f"{where} shows no certificate to be trusted ({reason}); nothing was sent"
    if isinstance(reason, TimeoutError):
        return f"{where} does not answer; check OPENAI_BASE_URL, the network and its proxy"
    return f"{where} cannot be reached ({reason}); check OPENAI_BASE_URL, the network and its proxy"


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Takes a redirect for the answer, so that the key goes nowhere else."""

    def redirect_request(self, *_: Any) -> None:
        """Follow none."""


class _QuickConnection(HTTPConnection):
    """Gives up early on who cannot be reached; waits long for who thinks."""

    def connect(self) -> None:
        """Connect with a time limit of its own."""
        patience, self.timeout = self.timeout, min(_CONNECT_SECONDS, self.timeout or 0)
        super().connect()
        self.sock.settimeout(patience)

    def request(self, *arguments: Any, **named: Any) -> None:
        """Send; who stops reading half-way has mostly answered why (413), and that is read."""
        with suppress(BrokenPipeError, ConnectionResetError):
            super().request(*arguments, **named)


class _QuickTlsConnection(_QuickConnection, HTTPSConnection):
    """The same with TLS."""


class _Http(urllib.request.HTTPHandler):
    def http_open(self, req: urllib.request.Request) -> HTTPResponse:
        return self.do_open(_QuickConnection, req)


class _Https(urllib.request.HTTPSHandler):
    def https_open(self, req: urllib.request.Request) -> HTTPResponse:
        return self.do_open(_QuickTlsConnection, req)
