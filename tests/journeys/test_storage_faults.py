"""The storage fails under the whole service: nothing is lost, and it goes on by itself."""

import asyncio
from pathlib import Path

import pytest

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
from tests.journeys.storage_trial import Sizes, trial

SHORT = Sizes(before=0.5, during=2.0, after=0.5, clients=4)


@pytest.mark.parametrize("fault", [no_longer_files, journals_deleted, file_instead_of_journals])
def test_every_answered_call_has_one_row_afterwards(tmp_path: Path, fault: Fault) -> None:
    found = trial(tmp_path, fault, SHORT)
    assert found.violations == []
    assert found.during
    assert found.back_after < 1
    assert any(call.status == 201 for call in found.after)


def test_a_locked_database_keeps_only_those_waiting_who_write_to_it(tmp_path: Path) -> None:
    found = trial(tmp_path, locked_database, Sizes(0.5, 6.5, 1.0, clients=4))
    assert found.violations == []
    told = {(call.status, call.code) for call in found.during}
    assert told <= {(200, ""), (201, ""), (503, "storage_unavailable")}
    assert {(200, ""), (503, "storage_unavailable")} <= told
    assert all(call.took < 6.5 for call in found.during)
    assert any(call.status == 201 for call in found.after)


def test_nobody_is_let_in_while_nothing_can_be_written_down(tmp_path: Path) -> None:
    # lines that are long fill the memory of a journal soon
    sizes = Sizes(0.2, 12.0, 1.0, clients=8)
    found = trial(tmp_path, no_longer_files, sizes, name=112 * "c")
    assert found.violations == []
    refused = [call for call in found.during if call.code == NOT_LET_IN]
    assert len(refused) > len(found.during) / 10
    assert found.back_after < 1


def test_rubbish_in_a_journal_costs_what_it_lies_on(tmp_path: Path) -> None:
    data = tmp_path / "data"
    key = new_key(tmp_path)["key"]
    with running(tmp_path, "serve", settings={"PLUGIN_LOG_LEVEL": "warning"}) as started:
        load = Accounted(started.address.port, key, 2, [("GET", "/v1/models", b"")])
        with locked_database(data, 0):
            asyncio.run(_for(load, 1.0))
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
