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

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")

QUESTION = {"model": "small", "messages": [{"role": "user", "content": "Sing."}]}


def usage(port: int, key: str) -> int:
    """The calls that `/v1/usage` tells, asked on a connection of its own."""
    answer = Address(port).call("GET", "/v1/usage", {"Authorization": f"Bearer {key}"})
    return sum(one["n_requests"] for one in answer.json()["data"])


def test_kills_lose_no_answered_call_and_count_none_twice(tmp_path: Path) -> None:
    with counting_upstream(20, 0.02) as far, service(tmp_path, 2, far.settings) as (started, key):
        asking = Streams(started.port, key, 32, QUESTION)
        # with these seeds a worker is killed, then the parent
        victims = [asyncio.run(kills(started, asking, 100, f"r{seed}", seed)) for seed in (0, 2)]
        until(lambda: usage(started.port, key) >= 200)
    found = books(tmp_path)
    assert victims == ["a worker", "the parent"]
    assert sum(one.done for one in asking.tries) == 200
    assert not any(violations(found, asking.tries).values()), found.verified
    assert set(found.endings()) <= {"whole", "unsettled", "broken off", "caller left"}


def test_callers_who_leave_have_a_row_with_what_they_got(tmp_path: Path) -> None:
    with counting_upstream(20, 0.02) as far, service(tmp_path, 2, far.settings) as (started, key):
        asking = Streams(started.port, key, 16, QUESTION)
        asyncio.run(asking.left([1 + number % 20 for number in range(60)], "left"))
        most = defaultdict(int, far.written())
    found = books(tmp_path)
    assert len(found.rows) == 60
    assert found.endings()["caller left"] > 30
    assert not any(violations(found, asking.tries).values()), found.verified
    assert undelivered(found, asking.tries, most) == 0
