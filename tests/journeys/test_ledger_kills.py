"""Processes are killed while they stream, callers leave: the ledger says what happened."""

import asyncio
from collections import defaultdict
from pathlib import Path

import pytest

from tests.journeys.counting_upstream import counting_upstream
from tests.journeys.ledger_kills import (
    Streams,
    books,
    kills,
    service,
    undelivered,
    violations,
)
from tests.journeys.running import Address, until
from tests.sizes import sized

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")

QUESTION = {"model": "small", "messages": [{"role": "user", "content": "Sing."}]}


def usage(port: int, key: str) -> int:
    """The calls that `/v1/usage` tells, asked on a connection of its own."""
    answer = Address(port).call("GET", "/v1/usage", {"Authorization": f"Bearer {key}"})
    return sum(one["n_requests"] for one in answer.json()["data"])


STREAMS = sized(40, 100)
"""Streams around each kill."""

LEAVERS = sized(30, 60)


def test_kills_and_callers_that_leave_lose_no_row_and_count_none_twice(tmp_path: Path) -> None:
    with counting_upstream(20, 0.02) as far, service(tmp_path, 2, far.settings) as (started, key):
        leaving = Streams(started.port, key, 16, QUESTION)
        asyncio.run(leaving.left([1 + number % 20 for number in range(LEAVERS)], "left"))
        most = defaultdict(int, far.written())
        asking = Streams(started.port, key, sized(16, 32), QUESTION)
        # with these seeds a worker is killed, then the parent
        victims = [
            asyncio.run(kills(started, asking, STREAMS, f"r{seed}", seed)) for seed in (0, 2)
        ]
        until(lambda: usage(started.port, key) >= 2 * STREAMS + LEAVERS)
    found = books(tmp_path)
    assert victims == ["a worker", "the parent"]
    assert sum(one.done for one in asking.tries) == 2 * STREAMS
    assert not any(violations(found, asking.tries).values()), found.verified
    assert set(found.endings()) <= {"whole", "unsettled", "broken off", "caller left"}
    # a caller that left has a row with what it got
    rows = [row for one in leaving.tries for row in found.of(one)]
    assert len(rows) == len(leaving.tries) == LEAVERS
    assert sum(row.ended == "caller left" for row in rows) > LEAVERS / 2
    assert not any(violations(found, leaving.tries).values()), found.verified
    assert undelivered(found, leaving.tries, most) == 0
