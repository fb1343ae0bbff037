"""Where a caller's limits stand, as headers: OpenAI's names, and those of the IETF's draft.

The draft is draft-ietf-httpapi-ratelimit-headers-10: `RateLimit-Policy` says what there is,
`RateLimit` what is left of it and in how many seconds all of it is free again.
"""

from collections.abc import Sequence
from math import ceil

from plugin.gate.counters import Level
from plugin.gate.limits import Limit
from plugin.gate.refusals import Standing

_UNITS = {
    "requests": "",
    "concurrent": ';qu="concurrent-requests"',
    "tokens": ';qu="tokens"',
    "units": ';qu="units"',
}
_WINDOWS = {"second": 1, "minute": 60, "day": 86_400}

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
    # what is met at both steps is told as it stands after the later one
    met = {
        label: (limit, level)
        for plan, levels in standing
        for label, limit, level in zip(plan.labels, plan.limits, levels, strict=True)
    }
    headers: Headers = []
    if met:
        policies = ", ".join([_policy(label, limit) for label, (limit, _) in met.items()])
        levels = ", ".join([_level(label, *one) for label, one in met.items()])
        headers = [(b"ratelimit-policy", policies.encode()), (b"ratelimit", levels.encode())]
    for measure in _MEASURES:
        found = [one for one in met.values() if one[0].measure == measure]
        if found:
            headers += _tightest(measure, found)
        elif openai:
            headers += _NO_LIMIT[measure]
    return headers


def _policy(label: str, limit: Limit) -> str:
    window = f";w={_WINDOWS[limit.period]}" if limit.period in _WINDOWS else ""
    return f'"{label}";q={limit.cap}{window}{_UNITS[limit.measure]}'


def _level(label: str, limit: Limit, level: Level) -> str:
    reset = f";t={ceil(level.reset)}" if limit.period in _WINDOWS else ""
    return f'"{label}";r={level.left}{reset}'


def _tightest(measure: str, met: Sequence[tuple[Limit, Level]]) -> Headers:
    """OpenAI's three, for the limit with the least left."""
    limit, level = min(met, key=lambda one: one[1].left)
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
