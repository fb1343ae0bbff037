"""Where a caller's limits stand, as headers: OpenAI's names, and those of the IETF's draft.

The draft is draft-ietf-httpapi-ratelimit-headers-10: `RateLimit-Policy` says what there is,
`RateLimit` what is left of it and in how many seconds all of it is free again.
"""

from collections.abc import Sequence
from math import ceil
from typing import NamedTuple

from plugin.gate.counters.protocol import Level
from plugin.gate.limits import Limit, Shape
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


class _Form(NamedTuple):
    """What is the same in the answers to all calls that meet the same limits."""

    policy: tuple[bytes, bytes]
    places: tuple[int, ...] | None
    """Where their levels are among those of all steps; None: at the same places."""
    ends: tuple[bool, ...]
    """Whether it is told in how many seconds all of it is free again."""
    levels: bytes
    """The pattern of what is told of all of them."""
    of_measures: tuple[tuple[int, ...], ...]
    """Which of them are of each of `_MEASURES`."""
    caps: tuple[tuple[bytes, bytes], ...]
    """OpenAI's header for the cap of each."""


def limit_headers(standing: Sequence[Standing], *, openai: bool) -> Headers:
    """The headers of an answer; with `openai` its six are there even where there is no limit."""
    levels: Sequence[Level] = standing[0].levels if standing else ()
    if len(standing) > 1:
        levels = [level for one in standing for level in one.levels]
    if not levels:
        return [header for one in _NO_LIMIT.values() for header in one] if openai else []
    form = _form_of(standing)
    if form.places is not None:
        levels = [levels[place] for place in form.places]
    headers = [form.policy, (b"ratelimit", form.levels % _values(form, levels))]
    for measure, found in zip(_MEASURES, form.of_measures, strict=True):
        if found:
            headers += _tightest(measure, found, form, levels)
        elif openai:
            headers += _NO_LIMIT[measure]
    return headers


_REMEMBERED = 1_000
_forms: dict[tuple[Shape, ...], _Form] = {}


def _form_of(standing: Sequence[Standing]) -> _Form:
    key = tuple([one.plan.shape for one in standing])
    form = _forms.get(key)
    if form is None:
        if len(_forms) >= _REMEMBERED:
            _forms.clear()
        form = _forms[key] = _form(standing)
    return form


def _values(form: _Form, levels: Sequence[Level]) -> tuple[int, ...]:
    values: list[int] = []
    for (left, reset), ends in zip(levels, form.ends, strict=True):
        values.append(left)
        if ends:
            values.append(ceil(reset))
    return tuple(values)


def _form(standing: Sequence[Standing]) -> _Form:
    labels = [label for one in standing for label in one.plan.shape.labels]
    limits = [limit for one in standing for limit in one.plan.shape.limits]
    # what is met at both steps is told as it stands after the later one
    met = {label: place for place, label in enumerate(labels)}
    places = tuple(met.values())
    told = tuple(limits[place] for place in places)
    policy = ", ".join(map(_policy, met, told)).encode()
    return _Form(
        (b"ratelimit-policy", policy),
        None if places == tuple(range(len(labels))) else places,
        tuple(limit.period in _WINDOWS for limit in told),
        ", ".join(map(_level, met, told)).encode(),
        tuple(
            tuple(place for place, limit in enumerate(told) if limit.measure == measure)
            for measure in _MEASURES
        ),
        tuple(
            (f"x-ratelimit-limit-{limit.measure}".encode(), b"%d" % (limit.cap or 0))
            for limit in told
        ),
    )


def _policy(label: str, limit: Limit) -> str:
    window = f";w={_WINDOWS[limit.period]}" if limit.period in _WINDOWS else ""
    return f'"{label}";q={limit.cap}{window}{_UNITS[limit.measure]}'


def _level(label: str, limit: Limit) -> str:
    return f'"{label}";r=%d{";t=%d" if limit.period in _WINDOWS else ""}'


def _tightest(measure: str, found: Sequence[int], form: _Form, levels: Sequence[Level]) -> Headers:
    """OpenAI's three, for the limit with the least left."""
    place = found[0] if len(found) == 1 else min([(levels[at].left, at) for at in found])[1]
    left, reset = levels[place]
    _, remaining, until = _NAMES[measure]
    return [form.caps[place], (remaining, b"%d" % left), (until, _duration(reset))]


def _duration(seconds: float) -> bytes:
    """As OpenAI writes it: 120ms, 7s, 6m0s, 23h59m1s."""
    if seconds < 1:
        return b"%dms" % ceil(seconds * 1000) if seconds > 0 else b"0s"
    minutes, rest = divmod(ceil(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return b"%dh%dm%ds" % (hours, minutes, rest)
    return b"%dm%ds" % (minutes, rest) if minutes else b"%ds" % rest
