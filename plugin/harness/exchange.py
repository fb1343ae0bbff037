"""What goes over the wire: a request as a contract builds it, and what came back."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from plugin.contract.requests.request import Request


@dataclass(frozen=True, slots=True)
class Response:
    """What a service answered. Header names are in lower case."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @property
    def media_type(self) -> str:
        """The `content-type`, empty if there is none."""
        return next((value for name, value in self.headers if name == "content-type"), "")


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and its response; `milliseconds` is the round trip."""

    request: Request
    response: Response
    milliseconds: float


Send = Callable[[Request], Awaitable[Response]]
"""Carries one request to the service. Raises `Unreachable` if no answer came."""


class Unreachable(Exception):  # noqa: N818 - it says what is wrong
    """No answer came: refused, timed out, cut off, or the application raised."""
