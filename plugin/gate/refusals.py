"""From a limit that is reached to the error: which one, what is left, when, what to do."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from math import ceil
from typing import NamedTuple

from plugin.errors import BudgetUsedUp, LimitReached, TokenLimitReached
from plugin.gate.counters.protocol import Level, Refusal
from plugin.gate.limits import EACH, Limit, Plan, amount


class Standing(NamedTuple):
    """Limits that a call met at one step, and where each of them stands."""

    plan: Plan
    levels: Sequence[Level]


_SOON = 1.0
"""Seconds after which to come again when nobody can tell: others are under way."""


def refused(
    limit: Limit, refusal: Refusal, standing: Sequence[Standing], now: float
) -> LimitReached:
    """The error for a call that `limit` stops; `now` is in seconds since 1970."""
    wait = _wait(limit, refusal, now)
    room = f"The limit of {amount(limit)} for {_whose(limit)} leaves no room for this call"
    sentences = (
        f"{room}: {_left(limit, refusal)}.",
        _when(limit, refusal, wait, now),
        f"The operator of this service raises it with `{raising(limit)}`.",
    )
    kind = BudgetUsedUp if limit.kind == "budget" else LimitReached
    if kind is LimitReached and limit.measure == "tokens":
        kind = TokenLimitReached
    headers = _headers(limit, refusal, wait)
    return kind(" ".join(sentences), headers=headers, standing=standing, limit=limit.label)


def raising(limit: Limit) -> str:
    """The command that doubles a limit."""
    period = "" if limit.period == "none" else f" --per {limit.period}"
    subject = "" if limit.scope == "all" else f" {limit.subject}"
    subject = subject.replace(EACH, f"'{EACH}'")
    cap = max(1, 2 * (limit.cap or 0))
    return f"plugin limits set {limit.measure} {cap}{period} --{limit.scope}{subject}"


def month_end(now: float) -> float:
    """When the calendar month ends, in seconds since 1970."""
    first = datetime.fromtimestamp(now, UTC).replace(day=1, hour=0, minute=0, second=0)
    following = (first.replace(microsecond=0) + timedelta(days=32)).replace(day=1)
    return following.timestamp()


def _whose(limit: Limit) -> str:
    return "all calls" if limit.scope == "all" else f"the {limit.scope} {limit.subject}"


def _left(limit: Limit, refusal: Refusal) -> str:
    if limit.measure in {"tokens", "units"}:
        return f"it may need {refusal.take.cost} {limit.measure}, {refusal.level.left} are left"
    return f"{refusal.level.left} are left"


def _too_large(refusal: Refusal) -> bool:
    return refusal.take.cost > refusal.take.cap


def _wait(limit: Limit, refusal: Refusal, now: float) -> float | None:
    """Seconds until a call like this one can pass; None where it never will."""
    if _too_large(refusal):
        return None
    if limit.kind == "running":
        return _SOON if refusal.retry is None else refusal.retry
    if limit.kind == "window":
        return refusal.retry
    return month_end(now) - now if limit.period == "month" else None


def _when(limit: Limit, refusal: Refusal, wait: float | None, now: float) -> str:
    if _too_large(refusal):
        sizes = limit.measure in {"tokens", "units"} and limit.cap
        less = "It can never pass: send less, or a smaller `max_tokens`."
        return less if sizes else "Nothing passes while the limit is 0."
    if limit.kind == "running":
        return "It is free again when a call that is under way ends; try again in a moment."
    if wait is None:
        return "A budget for good does not reset."
    if limit.kind == "budget":
        return f"It resets at {_moment(now + wait)}."
    return (
        f"Try again in {_seconds(wait)} s; all of it is free again in "
        f"{_seconds(refusal.level.reset)} s, at {_moment(now + refusal.level.reset)}."
    )


def _headers(limit: Limit, refusal: Refusal, wait: float | None) -> Mapping[str, str]:
    headers = {}
    if wait is not None:
        headers["retry-after"] = str(max(1, ceil(wait)))
        headers["retry-after-ms"] = str(max(1, ceil(wait * 1000)))
    if limit.kind == "budget" or _too_large(refusal):
        headers["x-should-retry"] = "false"  # OpenAI's SDKs would
    return headers


def _seconds(seconds: float) -> str:
    return f"{ceil(seconds * 10) / 10:g}"


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(ceil(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
