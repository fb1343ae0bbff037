"""The storage fails under the whole service: nothing is lost, and it goes on by itself."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator

import pytest

from plugin.auth.keys import KeyStore
from plugin.storage.database import open_blocking
from tests.journeys.accounted_load import NOT_LET_IN, Accounted, acts_of, ends_of
from tests.journeys.running import until
from tests.journeys.storage_faults import (
    Fault,
    damage_settled_lines,
    file_instead_of_journals,
    journals_deleted,
    locked_database,
    no_longer_files,
)
from tests.journeys.storage_trial import Sizes, Stored, befall, stored
from tests.sizes import sized

SHORT = Sizes(
    before=sized(0.2, 0.5),
    during=sized(1.0, 2.0),
    after=sized(0.7, 1.0),
    clients=sized(2, 4),
    pause=sized(0.01, 0.0),
)
BACK = sized(5.0, 1.0)
"""Seconds after the end of a fault in which a call may still fail by it."""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stored]:
    """The service that each fault befalls in turn: it goes on by itself."""
    with stored(tmp_path_factory.mktemp("stored")) as started:
        yield started


@pytest.mark.parametrize("fault", [no_longer_files, journals_deleted, file_instead_of_journals])
def test_every_answered_call_has_one_row_afterwards(service: Stored, fault: Fault) -> None:
    found = befall(service, fault, SHORT, name=fault.__name__)
    assert found.violations == []
    assert found.during
    assert found.back_after < BACK
    assert any(call.status == 201 for call in found.after)


def test_a_locked_database_delays_only_the_calls_that_write_to_it(service: Stored) -> None:
    sizes = Sizes(0.5, 6.5, 1.0, clients=4, pause=sized(0.05, 0.0))
    found = befall(service, locked_database, sizes, name="locked")
    assert found.violations == []
    told = {(call.status, call.code) for call in found.during}
    refused = {(503, "storage_unavailable"), (503, "overloaded")}
    assert told <= {(200, ""), (201, "")} | refused
    assert {(200, ""), (503, "storage_unavailable")} <= told
    assert all(call.took < sized(15, 6.5) for call in found.during)
    assert any(call.status == 201 for call in found.after)


def refusals_are_many(load: Accounted) -> bool:
    codes = Counter(call.code == NOT_LET_IN for call in load.calls)
    return codes[True] > codes[False] / 5


def test_no_call_is_let_in_while_nothing_can_be_written_down(service: Stored) -> None:
    # lines that are long fill the memory of a journal soon
    engine = open_blocking(f"sqlite:///{service.data / 'plugin.db'}")
    try:
        key = KeyStore(engine, time.time).create(1_500 * "n", ("*",)).key
    finally:
        engine.dispose()
    sizes = Sizes(0.2, 1.0, 1.0, clients=8, enough=refusals_are_many)
    found = befall(service, no_longer_files, sizes, name="full", key=key)
    assert found.violations == []
    refused = [call for call in found.during if call.code == NOT_LET_IN]
    assert len(refused) > len(found.during) / 10
    assert found.back_after < BACK


RUBBISH = "rubbish-"


def test_rubbish_in_a_journal_costs_what_it_lies_on(service: Stored) -> None:
    database, before = service.data / "plugin.db", acts_of(service.data / "plugin.db")
    requests, pause = [("GET", "/v1/models", b"")], sized(0.01, 0.0)
    load = Accounted(service.running.address.port, service.key, 2, requests, pause)
    with locked_database(service.data, 0):
        # the ledger reads the first calls and waits; it has not read the last ones
        asyncio.run(_for(load, 2.0))
        damaged = damage_settled_lines(service.data, 3, RUBBISH)
    answered = {call.request_id for call in load.calls}
    assert set(damaged) < answered
    until(lambda: ends_of(database).keys() & answered == answered - set(damaged))
    service.service.stop()
    ends = {name: how for name, how in ends_of(database).items() if name in answered}
    assert ends.keys() == answered
    assert {name for name, how in ends.items() if how == "unsettled"} == set(damaged)
    assert acts_of(database).count("journal damaged") > before.count("journal damaged")


async def _for(load: Accounted, seconds: float) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().call_at(asyncio.get_running_loop().time() + seconds, stop.set)
    await load.until(stop, RUBBISH)
