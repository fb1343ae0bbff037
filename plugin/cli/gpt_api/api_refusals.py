"""Why a call of the GPT API brought no result: whose side it is on, and what to do next."""

import json
from collections.abc import Mapping
from typing import Any

from plugin.masking import masked_address

_LONGEST = 1_000
_YOURS, _SERVICE, _UPSTREAM = "your side", "the service's side", "the upstream's side"

_KEY = (
    "export OPENAI_API_KEY=… with a key of this service; `plugin keys create --name NAME` makes one"
)
_NEXT = {
    "context_length_exceeded": "shorten the prompt, or ask for fewer tokens with --max-tokens",
    "model_not_found": "`plugin api models.list` shows the models there are",
    "insufficient_quota": "raise the quota of this key, or use another key",
    401: _KEY,
    403: "use a key with the scope that is named; `plugin keys create --scopes …` makes one",
    404: "check the id, and the address: it mostly ends in /v1 (--base-url, OPENAI_BASE_URL)",
    405: "check the address: it mostly ends in /v1 (--base-url, OPENAI_BASE_URL)",
    413: "send less at a time",
    500: "send it again; if it goes on, tell who runs the service the request id",
    501: "whoever runs the service can set what is named; else use another model or address",
}
_CHANGE = "change what is named, then send it again"
_GATEWAY = (502, 504)
_TOO_MANY, _NOT_OFFERED, _UNAVAILABLE = 429, 501, 503


class CallFailed(Exception):  # noqa: N818 - names say what is wrong
    """A call that brought no result: `what` failed on whose side, and what to do `then`."""

    def __init__(self, what: str, then: str, code: str | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.then = then
        self.code = code

    @property
    def detail(self) -> str:
        """Two lines for a terminal."""
        return f"{self.what}\nnext: {self.then}"


def refused(status: int, headers: Mapping[str, str], body: bytes, address: str) -> CallFailed:
    """What an answer with an error status means. Names of headers are in lower case."""
    if 300 <= status < 400:  # noqa: PLR2004 - the class of redirects
        to = one_line(masked_address(headers.get("location") or "nowhere"))
        return CallFailed(
            f"{address} sends callers elsewhere ({status}), to {to}; a key is not taken there",
            "if that is the right place, give it with --base-url",
        )
    error = _error(body)
    if error is None:
        what = f"{address} answered with status {status}, and not as the GPT API does"
        return CallFailed(f"{what} ({_side(status)})", _next(status, None, headers))
    code = error.get("code") if isinstance(error.get("code"), str) else None
    what = f"{status}, {_side(status, code)}: {one_line(str(error.get('message')))}"
    return CallFailed(what, _next(status, code, headers), code)


def broken_off(address: str) -> CallFailed:
    """The answer began, and has no end."""
    return CallFailed(
        f"the answer of {address} broke off before its end (the service's side)",
        "send it again; what came so far is not all",
    )


def hung_up(address: str) -> CallFailed:
    """The connection was closed before an answer began."""
    return CallFailed(
        f"{address} closed the connection without an answer (the service's side)",
        "send it again; if it goes on, check the address: http or https, host and port",
    )


def in_stream(error: Any) -> CallFailed:
    """An error event: it came when the answer had begun."""
    members = error if isinstance(error, dict) else {"message": error}
    code = members.get("code") if isinstance(members.get("code"), str) else None
    side = _side(500, code)
    return CallFailed(
        f"the answer ended early, {side}: {one_line(str(members.get('message')))}",
        "send it again; what came so far is not all",
        code,
    )


def not_the_api(address: str) -> CallFailed:
    """It answered, with something else than was asked for."""
    return CallFailed(
        f"what {address} answered is not the GPT API's", "check the address: it mostly ends in /v1"
    )


def one_line(text: str) -> str:
    """A stranger's text as one line of a terminal, without signs that steer it."""
    words = " ".join(text.split())[:_LONGEST]
    return "".join(sign if sign.isprintable() else "?" for sign in words)


def _error(body: bytes) -> dict[str, Any] | None:
    try:
        read = json.loads(body)
    except ValueError:
        return None
    error = read.get("error") if isinstance(read, dict) else None
    return error if isinstance(error, dict) else None


def _side(status: int, code: str | None = None) -> str:
    if status in _GATEWAY or (code or "").startswith("upstream"):
        return _UPSTREAM
    return _YOURS if status < 500 else _SERVICE  # noqa: PLR2004 - the class of server errors


def _next(status: int, code: str | None, headers: Mapping[str, str]) -> str:
    advice = _NEXT.get(code or "") or _NEXT.get(status)
    if advice is None and (status == _TOO_MANY or status > _NOT_OFFERED):
        advice = f"wait {_wait(headers)} and send it again"
    request_id = headers.get("x-request-id")
    told = f" (request id {one_line(request_id)})" if request_id else ""
    return f"{advice or _CHANGE}{told}"


def _wait(headers: Mapping[str, str]) -> str:
    seconds = headers.get("retry-after") or ""
    return f"{seconds} s" if seconds.isdecimal() else "a few seconds"
