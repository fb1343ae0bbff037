"""What an upstream answered instead of a result, and what of it is for the caller."""

import math
import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

from plugin.engines.upstream_words import Said
from plugin.errors import EngineUnavailable, PluginError, UpstreamRefused

_OF_THE_KEY = frozenset({401, 403})
_OF_THE_CALLER = frozenset({400, 413, 422})
_NOT_VALID = 422

_REDIRECTS = range(300, 400)
_SERVER_ERRORS = 500
_OVERLOADED = frozenset({503, 529})
_UNPAID, _NOT_FOUND, _TIMED_OUT, _TOO_MANY = 402, 404, 408, 429
_INTERNAL = re.compile(r"server|internal|overload|unavailable|runtime|api_error", re.IGNORECASE)
"""Kinds of errors that are no fault of the request, whatever the status says."""

_A_YEAR = 31_536_000

_STATUS_OF_KIND = {
    "invalid_request_error": 400,
    "BadRequestError": 400,
    "INVALID_ARGUMENT": 400,
    "exceed_context_size_error": 400,
    "authentication_error": 401,
    "permission_error": 403,
    "not_found_error": 404,
    "NotFoundError": 404,
    "rate_limit_error": 429,
    "insufficient_quota": 429,
    "RESOURCE_EXHAUSTED": 429,
    "overloaded_error": 529,
    "UNAVAILABLE": 503,
}
"""What a kind of error means where the error carries no status."""


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
    name: str, status: int, headers: Mapping[str, str], told: Said
) -> PluginError | CallFailed:
    """What a status other than 2xx means; a `PluginError` is the caller's own affair."""
    after = asked_wait(headers)
    if status in _OF_THE_CALLER and not (told.kind and _INTERNAL.search(told.kind)):
        return _callers(name, 400 if status == _NOT_VALID else status, told)
    if status == _TOO_MANY:
        return _too_many(name, told, after)
    if status == _TIMED_OUT:
        return CallFailed(too_slow(name).error, again=True, after=after)
    if status >= _SERVER_ERRORS or status in _OF_THE_CALLER:
        return _server_error(name, status, told, after)
    return CallFailed(UpstreamRefused(_misfit(name, status, told), status=502, code=told.code))


def told_in_passing(name: str, told: Said) -> CallFailed:
    """An error that came in the place of a result, after a status that promised one.

    The status is the one that the error carries or that its kind means; another address is tried
    in any case, this one again only where the request is not at fault.
    """
    kind = told.kind or "server_error"
    status = told.status or _STATUS_OF_KIND.get(kind, 502)
    callers = status in _OF_THE_CALLER and not _INTERNAL.search(kind)
    if status in _OF_THE_KEY or status in {_UNPAID, _NOT_FOUND}:
        return CallFailed(UpstreamRefused(_misfit(name, status, told), status=502, code=told.code))
    if status == _TOO_MANY:
        return _too_many(name, told, None)
    if not callers:
        status = 503 if status in _OVERLOADED else 502
    error = UpstreamRefused(
        f"The upstream {name} {_words(told, 'failed while it answered; try again')}",
        status=400 if status == _NOT_VALID else status,
        kind=kind,
        code=told.code,
        param=told.param,
    )
    return CallFailed(error, again=not callers, of_address=not callers)


def no_events(name: str, told: Said) -> CallFailed:
    """Something else came where an event stream was asked for."""
    if told.status is not None or told.kind is not None:
        return told_in_passing(name, told)
    what = f": {told.message}" if told.in_words else ""
    return broken(name, f"answered with something else than an event stream{what}")


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


def _words(told: Said, otherwise: str) -> str:
    return f"says: {told.message}" if told.in_words else f"{otherwise}."


def _callers(name: str, status: int, told: Said) -> UpstreamRefused:
    marked = f"The upstream {name} {_words(told, 'refused the request without saying why')}"
    return UpstreamRefused(
        # Clients look for OpenAI's own words in OpenAI's own form.
        told.message if told.own_form else marked,
        status=status,
        kind=told.kind or "invalid_request_error",
        code=told.code,
        param=told.param,
    )


def _too_many(name: str, told: Said, after: float | None) -> CallFailed:
    code = told.code or "rate_limit_exceeded"
    spent = code == "insufficient_quota"
    text = (
        f"The quota of this service at the upstream {name} is spent; the operator has to raise it."
        if spent
        else f"The upstream {name} takes no more requests at the moment. Wait and try again."
    )
    error = UpstreamRefused(
        f"{text} It says: {told.message}" if told.in_words else text,
        status=_TOO_MANY,
        kind=told.kind or "requests",
        code=code,
        headers=_retry_after(1.0 if after is None else after),
    )
    return CallFailed(error, again=not spent, after=after)


def _server_error(name: str, status: int, told: Said, after: float | None) -> CallFailed:
    text = f"The upstream {name} failed (status {status}). The request may be right; try again."
    error = UpstreamRefused(
        f"{text} It says: {told.message}" if told.in_words else text,
        status=503 if status in _OVERLOADED else 502,
        kind=told.kind or "server_error",
        code=told.code,
        headers=_retry_after(1.0 if after is None else after),
    )
    return CallFailed(error, again=True, of_address=True, after=after)


def _misfit(name: str, status: int, told: Said) -> str:
    text = _configured_wrong(name, status)
    return f"{text} It says: {told.message}" if told.in_words else text


def _configured_wrong(name: str, status: int) -> str:
    if status in _OF_THE_KEY:
        return (
            f"The operator's key for the upstream {name} was refused (status {status}). Your key "
            "is not at fault; tell the operator to look at api_key in PLUGIN_UPSTREAMS."
        )
    if status == _UNPAID:
        return (
            f"The operator's account at the upstream {name} has to be paid (status {status}). "
            "Tell the operator, who named it in PLUGIN_UPSTREAMS."
        )
    if status == _NOT_FOUND:
        return (
            f"The upstream {name} does not know this model or this path (status {status}), though "
            "the operator listed it. Tell the operator to look at base_url and models in "
            "PLUGIN_UPSTREAMS."
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


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if 0 <= number < math.inf else None
