"""What an upstream answered instead of a result, and what of it is for the caller."""

import math
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any

import orjson

from plugin.errors import EngineUnavailable, PluginError, UpstreamRefused

_TEXT = 2_000
_OF_THE_CALLER = frozenset({400, 404, 413, 422})
_OF_THE_KEY = frozenset({401, 403})
_REDIRECTS = range(300, 400)
_SERVER_ERRORS = 500
_OVERLOADED = frozenset({503, 529})
_TOO_MANY, _TIMED_OUT, _NOT_VALID = 429, 408, 422
_A_YEAR = 31_536_000


class CallFailed(Exception):  # noqa: N818 - it says what happened to the call
    """A call that did no good here; another address might do better, or the same one later.

    `error` is for the caller. `again`: the same address may be tried once more. `of_address`: it
    counts against the address. `after` are the seconds that the upstream asks for, or those until
    the address is tried again. `resting`: the address was not asked at all.
    """

    def __init__(
        self,
        error: PluginError,
        *,
        again: bool = False,
        of_address: bool = False,
        after: float | None = None,
        resting: bool = False,
    ) -> None:
        super().__init__(error.detail)
        self.error = error
        self.again = again
        self.of_address = of_address
        self.after = after
        self.resting = resting

    @property
    def status(self) -> int:
        """The status that the caller would get for it."""
        return self.error.status


def broken(name: str, what: str) -> CallFailed:
    """The address answered with something that is no answer."""
    text = f"The upstream {name} {what}. The request may be right; try again."
    return CallFailed(UpstreamRefused(text, status=502), again=True, of_address=True)


def too_slow(name: str) -> CallFailed:
    """The address was reached and did not answer in time."""
    text = f"The upstream {name} did not answer in time. Try again, or ask for a shorter answer."
    return CallFailed(UpstreamRefused(text, status=504, code="upstream_timeout"), of_address=True)


def unreachable(name: str) -> CallFailed:
    """No connection came about, or it was cut before an answer."""
    text = f"The upstream {name} cannot be reached. Try again later."
    error = EngineUnavailable(text, headers={"retry-after": "1"})
    return CallFailed(error, again=True, of_address=True)


def resting(name: str, wait: float) -> CallFailed:
    """The address has failed too often to be asked now."""
    text = (
        f"The upstream {name} failed several times in a row and is left alone for a moment. "
        "Try again after the time that Retry-After says."
    )
    error = EngineUnavailable(text, headers=_retry_after(max(wait, 1.0)))
    return CallFailed(error, after=wait, resting=True)


def refusal(
    name: str, status: int, headers: Mapping[str, str], body: bytes
) -> PluginError | CallFailed:
    """What a status other than 2xx means; a `PluginError` is the caller's own affair."""
    said = _said(body)
    if status in _OF_THE_CALLER:
        return _callers(name, 400 if status == _NOT_VALID else status, said)
    after = asked_wait(headers)
    if status == _TOO_MANY:
        return _too_many(name, said, after)
    if status >= _SERVER_ERRORS:
        return _server_error(name, status, after)
    if status == _TIMED_OUT:
        failed = too_slow(name)
        return CallFailed(failed.error, again=True, after=after)
    return CallFailed(UpstreamRefused(_misfit(name, status), status=502))


def told_in_passing(name: str, value: Mapping[str, Any]) -> CallFailed:
    """An error that came in the place of a result, after a status that promised one."""
    text = value.get("message")
    message = f"The upstream {name} failed: {text[:_TEXT]}" if isinstance(text, str) else None
    error = UpstreamRefused(
        message or f"The upstream {name} failed while it answered; try again.",
        status=502,
        kind=_text(value, "type") or "server_error",
        code=_text(value, "code"),
        param=_text(value, "param"),
    )
    return CallFailed(error, again=True, of_address=True)


def asked_wait(headers: Mapping[str, str]) -> float | None:
    """The seconds that `Retry-After` asks for, by number or by date."""
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    given = headers.get("retry-after")
    seconds = _number(given)
    if seconds is not None or given is None:
        return seconds
    try:
        # by the upstream's own clock, so that ours need not agree
        then, now = parsedate_to_datetime(given), parsedate_to_datetime(headers.get("date", ""))
        return max(0.0, (then - now).total_seconds())
    except (ValueError, TypeError, OverflowError):  # the last one: of a zone beyond all measure
        return None


def _callers(name: str, status: int, said: Mapping[str, Any]) -> UpstreamRefused:
    return UpstreamRefused(
        _text(said, "message") or f"The upstream {name} refused the request without saying why.",
        status=status,
        kind=_text(said, "type") or "invalid_request_error",
        code=_text(said, "code"),
        param=_text(said, "param"),
    )


def _too_many(name: str, said: Mapping[str, Any], after: float | None) -> CallFailed:
    code = _text(said, "code") or "rate_limit_exceeded"
    spent = code == "insufficient_quota"
    text = (
        f"The quota of this service at the upstream {name} is spent; the operator has to raise it."
        if spent
        else f"The upstream {name} takes no more requests at the moment. Wait and try again."
    )
    error = UpstreamRefused(
        text,
        status=_TOO_MANY,
        kind=_text(said, "type") or "requests",
        code=code,
        headers=_retry_after(1.0 if after is None else after),
    )
    return CallFailed(error, again=not spent, after=after)


def _server_error(name: str, status: int, after: float | None) -> CallFailed:
    text = f"The upstream {name} failed (status {status}). The request may be right; try again."
    error = UpstreamRefused(
        text,
        status=503 if status in _OVERLOADED else 502,
        headers=_retry_after(1.0 if after is None else after),
    )
    return CallFailed(error, again=True, of_address=True, after=after)


def _misfit(name: str, status: int) -> str:
    if status in _OF_THE_KEY:
        return (
            f"The operator's key for the upstream {name} was refused (status {status}). Your key "
            "is not at fault; tell the operator to look at api_key in PLUGIN_UPSTREAMS."
        )
    if status in _REDIRECTS:
        return (
            f"The upstream {name} sends us to another address, which is not followed. Tell the "
            "operator to set its base_url in PLUGIN_UPSTREAMS to where it is now."
        )
    return (
        f"The upstream {name} answered with status {status}, which is not one of the GPT API. "
        "Tell the operator to look at its base_url in PLUGIN_UPSTREAMS."
    )


def _retry_after(seconds: float) -> dict[str, str]:
    return {"retry-after": str(max(1, math.ceil(min(seconds, _A_YEAR))))}


def _said(body: bytes) -> Mapping[str, Any]:
    """The error object, in OpenAI's form or in the looser ones that some servers use."""
    try:
        value = orjson.loads(body)
    except ValueError:
        return {}
    if not isinstance(value, dict):
        return {}
    error = value.get("error") or value.get("detail") or value
    if isinstance(error, str):
        return {"message": error}
    return error if isinstance(error, dict) else {}


def _text(said: Mapping[str, Any], name: str) -> str | None:
    found = said.get(name)
    return found[:_TEXT] if isinstance(found, str) and found else None


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if 0 <= number < math.inf else None
