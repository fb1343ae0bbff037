"""Each attack of `tests/bench/chaos_pools.py`, small: the victim is answered, and soon.

Bounds are wide, as the machine does other work; the full size keeps those of `victims.PROMISED`.
"""

from collections.abc import Iterator

import pytest

from tests.attacks.flood import flood
from tests.attacks.pools import ATTACKS, Attack, Scene, Sizes, scene
from tests.attacks.victims import Victims

SMALL = Sizes(connections=40, seconds=1, documents=60, words=1_000, upload=500_000)
LONGEST_P50 = 1.0


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with scene(tmp_path_factory.mktemp("attacked"), SMALL, {}) as on:
        yield on


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
async def test_the_victim_is_answered_soon(running: Scene, attack: Attack) -> None:
    requests = attack.requests(running.attacker, SMALL)
    with Victims(running.port, running.victim) as victims:
        told = await flood(
            running.port,
            requests,
            SMALL.connections,
            SMALL.seconds,
            leave_after=attack.leave_after,
        )
    assert told.statuses.keys() <= {0, 200, 201, 400, 503}, told
    assert told.retry_after <= {"1"}, told
    for kind, measured in victims.measured.items():
        assert measured.failed == 0, (kind, str(measured))
        assert measured.quantile(0.5) < LONGEST_P50, (kind, str(measured))
