"""Which limits there are, and which of them a call meets: found once, then remembered."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal, TypeVar, get_args

from plugin.gate.counters.protocol import MOST, Kind, Take
from plugin.gate.prices import Prices

Scope = Literal["all", "key", "model", "operation"]
Measure = Literal["requests", "tokens", "concurrent", "units"]
Period = Literal["second", "minute", "day", "month", "none"]

SCOPES, MEASURES, PERIODS = get_args(Scope), get_args(Measure), get_args(Period)

EACH = "*"
"""The subject that means every key, model or operation, each one for itself."""

_MOST_OF_A_BUDGET = 2**62

_SECONDS = {"second": 1.0, "minute": 60.0, "day": 86_400.0}
_REMEMBERED = 16_384
_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `cap` of something; None lifts what would hold otherwise.

    `subject` is the id of a key, a model or an operation, or `EACH`; of the scope "all" it is
    always `EACH`. Requests, tokens and units are counted in any second, minute or day, or used up
    in a calendar month (UTC) or for good ("none"); concurrent requests have no period ("none").
    """

    scope: Scope
    subject: str
    measure: Measure
    period: Period
    cap: int | None

    @property
    def kind(self) -> Kind:
        """How it is counted."""
        if self.measure == "concurrent":
            return "running"
        return "window" if self.period in _SECONDS else "budget"

    @property
    def seconds(self) -> float:
        """The length of its window; 0 for what has none."""
        return _SECONDS.get(self.period, 0.0)

    @property
    def label(self) -> str:
        """A short name, such as key-requests-minute."""
        parts = (self.scope, self.measure, self.period)
        return "-".join(part for part in parts if part != "none")

    def take(self, month: str, subject: str) -> Take:
        """What one call takes of it for an actual subject; each month's budget is one count."""
        period = month if self.period == "month" else self.period
        name = f"{self.scope}:{self.measure}:{period}:{subject}"
        return Take(name, self.kind, self.cap or 0, 1, self.seconds)


DEFAULTS = (Limit("key", EACH, "concurrent", "none", 256),)
"""What holds where nobody set anything: one key cannot take all of a laptop's memory."""

Identity = tuple[Scope, str, Measure, Period]


def identity(limit: Limit) -> Identity:
    """What makes it this limit and no other: everything but the cap."""
    return limit.scope, limit.subject, limit.measure, limit.period


def greatest_cap(period: Period) -> int:
    """What a cap may be at most."""
    return MOST if period in _SECONDS else _MOST_OF_A_BUDGET


def amount(limit: Limit) -> str:
    """What a limit allows, in words."""
    cap = "any number of" if limit.cap is None else str(limit.cap)
    if limit.measure == "concurrent":
        return f"{cap} concurrent requests"
    per = {"none": " in all", "month": " a month"}.get(limit.period, f" a {limit.period}")
    return f"{cap} {limit.measure}{per}"


def month_of(moment: float) -> str:
    """The calendar month of a time in seconds since 1970, as 2026-11."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m")


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """What is the same for all calls that meet the same limits at one step, whoever sends them.

    `limits` have the subjects of whoever came first; a `Plan` has those of its call.
    """

    limits: tuple[Limit, ...] = ()
    takes: tuple[tuple[str, Take], ...] = ()
    """What a call takes of each, and by the scope of which subject; that ends the count's name."""
    by_size: bool = False
    """Whether tokens or units are among them."""
    labels: tuple[str, ...] = ()
    caps: tuple[int, ...] = ()
    ones: tuple[int, ...] = ()
    """What a call uses of them if none goes by size."""
    told: tuple[int, ...] = ()
    """Those of which the ledger says what was left: all but what is under way."""
    telling: str = ""
    """All that it says of a call that met nothing else, as JSON: a pattern for those."""

    @classmethod
    def of(cls, limits: tuple[Limit, ...], month: str) -> "Shape":
        """The shape of some limits in a month."""
        labels = tuple(limit.label for limit in limits)
        told = tuple(at for at, limit in enumerate(limits) if limit.measure != "concurrent")
        takes = tuple((limit.scope, limit.take(month, "")) for limit in limits)
        return cls(
            limits,
            takes,
            any(limit.measure in {"tokens", "units"} for limit in limits),
            labels,
            tuple(limit.cap or 0 for limit in limits),
            (1,) * len(limits),
            told,
            '{"left":{' + ",".join(f'"{labels[at]}":%d' for at in told) + "}}",
        )


@dataclass(frozen=True, slots=True)
class Plan:
    """The limits that a call meets at one step, each for its actual subject, and what it takes.

    `takes` cost one request each, or what the operation costs in units; tokens and units of a model
    are known only with the call: see `takes_for`.
    """

    shape: Shape
    subjects: tuple[str, ...]
    takes: tuple[Take, ...]

    @property
    def limits(self) -> tuple[Limit, ...]:
        """The limits, each for the subject of this call."""
        both = zip(self.shape.limits, self.subjects, strict=True)
        return tuple(replace(limit, subject=subject) for limit, subject in both)

    def named(self, taken: Take) -> Limit:
        """The limit that something is taken of."""
        names = [take.name for take in self.takes]
        return self.limits[names.index(taken.name)]

    def takes_for(self, tokens: int, units: int) -> tuple[Take, ...]:
        """The same for a call that may need so many tokens, and cost so many units."""
        if not self.shape.by_size:
            return self.takes
        costs = {"tokens": tokens, "units": units}
        return tuple(
            take._replace(cost=costs.get(limit.measure, 1))
            for limit, take in zip(self.shape.limits, self.takes, strict=True)
        )


class Limits:
    """Finds what a call meets among `limits` and `DEFAULTS`; `month` (2026-11) names its budgets.

    A limit for one subject goes before that for `EACH` of the same scope, measure and period.
    """

    def __init__(self, limits: Iterable[Limit], prices: Prices, month: str) -> None:
        held = {identity(limit): limit for limit in (*DEFAULTS, *limits)}
        self.all = tuple(held.values())
        self.month = month
        self._prices = prices
        self._groups: dict[tuple[str, str, str], dict[str, Limit]] = {}
        for limit in sorted(self.all, key=_by_patience):
            group = self._groups.setdefault((limit.scope, limit.measure, limit.period), {})
            group[limit.subject] = limit
        self._named = {
            scope: frozenset(limit.subject for limit in self.all if limit.scope == scope)
            for scope in SCOPES
        }
        self._admissions: dict[tuple[str, str], Plan] = {}
        self._of_models: dict[tuple[str, str, str], Plan] = {}
        self._shapes: dict[tuple[str, ...], Shape] = {}

    def in_month(self, month: str) -> "Limits":
        """The same limits in another month."""
        return Limits(self.all, self._prices, month)

    def at_admission(self, caller: str, action: str) -> Plan:
        """What a call meets when it comes, before anybody knows its model."""
        plan = self._admissions.get((caller, action))
        if plan is None:
            price = self._prices.of(action).call
            names = self._name("key", caller), action if price else self._name("operation", action)
            shape = self._shapes.get(names)
            if shape is None:
                met = (
                    limit
                    for limit in self._meeting({"key": caller, "operation": action})
                    if limit.measure in {"requests", "concurrent"}
                    or (limit.measure == "units" and price)
                )
                shape = self._remember_shape(names, met)
            plan = self._plan(shape, {"all": EACH, "key": caller, "operation": action}, price)
            _remember(self._admissions, (caller, action), plan)
        return plan

    def at_model(self, caller: str, action: str, model: str) -> Plan:
        """What it meets once its model is known: everything that was not asked before."""
        plan = self._of_models.get((caller, action, model))
        if plan is None:
            names = self._name("key", caller), self._name("operation", action), model
            subjects = {"all": EACH, "key": caller, "operation": action, "model": model}
            shape = self._shapes.get(names)
            if shape is None:
                met = (
                    limit
                    for limit in self._meeting(subjects)
                    if limit.scope == "model"
                    or limit.measure == "tokens"
                    or (limit.measure == "units" and not self._prices.of(model).is_free)
                )
                shape = self._remember_shape(names, met)
            plan = self._plan(shape, subjects)
            _remember(self._of_models, (caller, action, model), plan)
        return plan

    def of(self, subjects: dict[str, str]) -> list[Limit]:
        """The limits for some subjects (by their scope), and those for all."""
        return list(self._meeting(subjects))

    def take(self, limit: Limit) -> Take:
        """What one call takes of a limit with an actual subject."""
        return limit.take(self.month, limit.subject)

    def _meeting(self, subjects: dict[str, str]) -> Iterator[Limit]:
        for (scope, _, _), group in self._groups.items():
            subject = EACH if scope == "all" else subjects.get(scope)
            limit = None if subject is None else group.get(subject) or group.get(EACH)
            if subject is not None and limit is not None and limit.cap is not None:
                yield replace(limit, subject=subject)

    def _name(self, scope: Scope, subject: str) -> str:
        """What stands for a subject where it is like all others that no limit names."""
        return subject if subject in self._named[scope] else EACH

    def _remember_shape(self, names: tuple[str, ...], met: Iterable[Limit]) -> Shape:
        shape = Shape.of(tuple(met), self.month)
        _remember(self._shapes, names, shape)
        return shape

    def _plan(self, shape: Shape, by_scope: Mapping[str, str], units: int = 0) -> Plan:
        """`units` are what a call costs, whatever it asks."""
        subjects = tuple([by_scope[scope] for scope, _ in shape.takes])
        takes = tuple(
            [
                Take(name + subject, kind, cap, cost, period)
                for (_, (name, kind, cap, cost, period)), subject in zip(
                    shape.takes, subjects, strict=True
                )
            ]
        )
        plan = Plan(shape, subjects, takes)
        return Plan(shape, subjects, plan.takes_for(0, units)) if shape.by_size else plan


def _by_patience(limit: Limit) -> int:
    """Budgets first, then the longest window: who is told when to come again is told the truth."""
    order: Sequence[str] = ("none", "month", "day", "minute", "second")
    return len(order) if limit.measure == "concurrent" else order.index(limit.period)


def _remember(known: dict[_Key, _Value], key: _Key, value: _Value) -> None:
    if len(known) >= _REMEMBERED:
        known.clear()
    known[key] = value
