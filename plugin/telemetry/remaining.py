"""What is left of limits, as figures: of those that were set for somebody, and of the busiest."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import func, select

from plugin.gate.gate import Gate
from plugin.gate.limits import EACH, Limit, Limits, Scope
from plugin.ledger.tables import ledger_balances
from plugin.storage.database import FAILURES, open_blocking
from plugin.telemetry import names
from plugin.telemetry.samples import Figures

_BUSIEST = 20
_MOST = 200
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_COLUMNS: Mapping[Scope, Any] = {
    "key": ledger_balances.c.caller_id,
    "model": ledger_balances.c.model,
    "operation": ledger_balances.c.action,
}

Busiest = Mapping[Scope, Sequence[str]]


class Remaining:
    """Where limits stand. Labels must stay few: a limit for each key tells those that call most."""

    def __init__(self, gate: Gate, url: str) -> None:
        self._gate = gate
        self._url = url

    def scopes(self) -> Sequence[Scope]:
        """Of which scopes there are limits that hold for each one; on the event loop."""
        scopes = {limit.scope for limit in self._gate.limits.all if limit.subject == EACH}
        return [scope for scope in _COLUMNS if scope in scopes]

    def busiest(self, scopes: Sequence[Scope]) -> Busiest:
        """Who called most since yesterday; for a thread, it blocks.

        Nobody where the database cannot be asked.
        """
        database = open_blocking(self._url, wait=0.5)
        try:
            with database.connect() as connection:
                return {
                    scope: connection.execute(_most_calls(_COLUMNS[scope])).scalars().all()
                    for scope in scopes
                }
        except FAILURES:
            return {}
        finally:
            database.dispose()

    def add(self, figures: Figures, busiest: Busiest) -> None:
        """Put among the figures what is left; on the event loop, which alone may ask the counts."""
        limits = self._gate.limits
        told = set[tuple[str, str]]()
        for limit in _told(limits, busiest):
            labels = (limit.label, limit.subject)
            if limit.cap is None or labels in told or len(told) >= _MOST:
                continue
            told.add(labels)
            left = self._gate.counters.level(limits.take(limit)).left
            figures.count(names.LEFT, labels, left)
            figures.count(names.CAP, labels, limit.cap)


def _told(limits: Limits, busiest: Busiest) -> Iterator[Limit]:
    for limit in limits.all:
        if limit.subject != EACH or limit.scope == "all":
            yield limit
    for scope, subjects in busiest.items():
        for subject in subjects:
            yield from (one for one in limits.of({scope: subject}) if one.scope == scope)


def _most_calls(column: Any) -> Any:
    yesterday = (datetime.now(UTC) - _EPOCH - timedelta(days=1)).days
    calls = func.sum(ledger_balances.c.calls)
    wanted = select(column).where(ledger_balances.c.day >= yesterday, column != "")
    return wanted.group_by(column).order_by(calls.desc(), column).limit(_BUSIEST)
