"""An upstream fails altogether: callers hear of it at once, and it is tried again seldom."""

import asyncio
from collections.abc import Mapping

import pytest

from plugin.outbound.breaker import Patience
from tests.journeys.failing_upstream import How, Trial, trials
from tests.sizes import sized

WAYS: Mapping[How, tuple[float, float]] = {
    "errors": (2.0, 2.0),
    "refused": (2.0, 2.0),
    "hanging": (3.0, 1.0),
}
LATE = sized(5.0, 1.5)
"""Seconds by which a call may come later than the rest of the breaker ends."""

AT_ONCE = sized(500, 100)
"""Milliseconds within which a call without an upstream is turned away."""


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[How, Trial]:
    """One service before three upstreams, which fail at the same time."""
    tried = trials(tmp_path_factory.mktemp("failing"), WAYS, rate=sized(15, 20))
    return dict(zip(WAYS, asyncio.run(tried), strict=True))


def asked_while_open(found: Trial, probe_sent: float) -> list[float]:
    return [at for at, _ in found.asked if found.opened + 0.1 < at < probe_sent]


@pytest.mark.parametrize("how", ["errors", "refused"])
def test_it_is_left_alone_and_back_after_one_call(found: dict[How, Trial], how: How) -> None:
    trial = found[how]
    (probe,) = trial.probes
    assert probe.kind == "answered"
    assert -1.5 < probe.sent - trial.opened - Patience().rest < LATE
    assert trial.back_for_good
    assert trial.retries <= len(trial.calls) / 10
    assert asked_while_open(trial, probe.sent) == []
    assert sorted(trial.turned_away)[len(trial.turned_away) // 2] < AT_ONCE


def test_one_that_hangs_is_left_alone_too(found: dict[How, Trial]) -> None:
    trial = found["hanging"]
    (probe,) = trial.probes
    assert probe.kind == "answered"
    assert trial.back_for_good
    assert trial.retries == 0
    assert asked_while_open(trial, probe.sent) == []
