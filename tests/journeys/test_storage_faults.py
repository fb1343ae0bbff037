"""The storage fails under the whole service: nothing is lost, and it goes on by itself."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from plugin.auth.keys import KeyStore
from plugin.storage.database import open_blocking
from tests.journeys.accounted_load import NOT_LET_IN, Accounted, acts_of, ends_of
from tests.journeys.running import new_key, running, until
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
    assert told <= {(200, ""), (201, ""), (503, "storage_unavailable")}
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


def test_rubbish_in_a_journal_costs_what_it_lies_on(tmp_path: Path) -> None:
    data = tmp_path / "data"
    key = new_key(tmp_path)["key"]
    with running(tmp_path, "serve", settings={"PLUGIN_LOG_LEVEL": "warning"}) as started:
        requests, pause = [("GET", "/v1/models", b"")], sized(0.01, 0.0)
        load = Accounted(started.address.port, key, 2, requests, pause)
        with locked_database(data, 0):
            # the ledger reads the first calls and waits; it has not read the last ones
            asyncio.run(_for(load, 2.0))
            damaged = damage_settled_lines(data, 3)
        answered = {call.request_id for call in load.calls}
        until(lambda: len(ends_of(data / "plugin.db")) == len(answered) - len(damaged))
        assert ends_of(data / "plugin.db").keys() == answered - set(damaged)
    ends = ends_of(data / "plugin.db")
    assert ends.keys() == answered
    assert {name for name, how in ends.items() if how == "unsettled"} == set(damaged)
    assert acts_of(data / "plugin.db").count("journal damaged") >= 1


async def _for(load: Accounted, seconds: float) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().call_at(asyncio.get_running_loop().time() + seconds, stop.set)
    await load.until(stop)
