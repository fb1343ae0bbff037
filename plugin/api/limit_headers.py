"""Where a caller's limits stand, as headers: OpenAI's names, and those of the IETF's draft.

The draft is draft-ietf-httpapi-ratelimit-headers-10: `RateLimit-Policy` says what there is,
`RateLimit` what is left of it and in how many seconds all of it is free again.
"""

from collections.abc import Sequence
from math import ceil

from plugin.gate.refusals import Standing

_UNITS = {"concurrent": "concurrent-requests", "tokens": "tokens", "units": "units"}

# Where there is no limit: the greatest number that every client can read.
_UNLIMITED = b"2147483647"
_MEASURES = ("requests", "tokens")
_NAMES = {
    measure: [f"x-ratelimit-{what}-{measure}".encode() for what in ("limit", "remaining", "reset")]
    for measure in _MEASURES
}
_NO_LIMIT = {
    measure: tuple(zip(names, (_UNLIMITED, _UNLIMITED, b"0s"), strict=True))
    for measure, names in _NAMES.items()
}

Headers = list[tuple[bytes, bytes]]


def limit_headers(standing: Sequence[Standing], *, openai: bool) -> Headers:
    """The headers of an answer; with `openai` its six are there even where there is no limit."""
    headers: Headers = []
    if standing:
        policies = ", ".join([_policy(one) for one in standing])
        levels = ", ".join([_level(one) for one in standing])
        headers = [(b"ratelimit-policy", policies.encode()), (b"ratelimit", levels.encode())]
    for measure in _MEASURES:
        found = [one for one in standing if one[0].measure == measure]
        if found:
            headers += _tightest(measure, found)
        elif openai:
            headers += _NO_LIMIT[measure]
    return headers


def _policy(one: Standing) -> str:
    limit = one[0]
    unit = _UNITS.get(limit.measure)
    window = f";w={limit.seconds:.0f}" if limit.seconds else ""
    return f'"{limit.label}";q={limit.cap}{window}' + (f';qu="{unit}"' if unit else "")


def _level(one: Standing) -> str:
    limit, level = one
    reset = f";t={ceil(level.reset)}" if limit.seconds else ""
    return f'"{limit.label}";r={level.left}{reset}'


def _tightest(measure: str, standing: Sequence[Standing]) -> Headers:
    """OpenAI's three, for the limit with the least left."""
    limit, level = min(standing, key=lambda one: one[1].left)
    values = (b"%d" % (limit.cap or 0), b"%d" % level.left, _duration(level.reset))
    return list(zip(_NAMES[measure], values, strict=True))


def _duration(seconds: float) -> bytes:
    """As OpenAI writes it: 120ms, 7s, 6m0s, 23h59m1s."""
    if seconds < 1:
        return b"%dms" % ceil(seconds * 1000) if seconds > 0 else b"0s"
    minutes, rest = divmod(ceil(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return b"%dh%dm%ds" % (hours, minutes, rest)
    return b"%dm%ds" % (minutes, rest) if minutes else b"%ds" % rest
