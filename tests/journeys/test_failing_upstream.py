"""An upstream fails altogether: callers hear of it at once, and it is tried again seldom."""

from pathlib import Path

import pytest

from plugin.outbound.breaker import Patience
from tests.journeys.failing_upstream import How, trial


@pytest.mark.parametrize("how", ["errors", "refused"])
async def test_it_is_left_alone_and_back_after_one_call(tmp_path: Path, how: How) -> None:
    found = await trial(tmp_path, how, 2.0, rate=20)
    (probe,) = found.probes
    assert probe.kind == "answered"
    assert abs(probe.sent - found.opened - Patience().rest) < 1.5
    assert found.back_for_good
    assert found.retries <= len(found.calls) / 10
    resting = [at for at, _ in found.asked if found.opened + 0.1 < at < probe.sent]
    assert resting == []
    assert sorted(found.turned_away)[len(found.turned_away) // 2] < 100


async def test_one_that_hangs_is_left_alone_too(tmp_path: Path) -> None:
    found = await trial(tmp_path, "hanging", 3.0, rate=20, patience=1.0)
    (probe,) = found.probes
    assert probe.kind == "answered"
    assert found.back_for_good
    assert found.retries == 0
    hung = [at for at, _ in found.asked if found.opened + 0.1 < at < probe.sent]
    assert hung == []
