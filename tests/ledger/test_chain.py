import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import LargeBinary, String, Text

from plugin.ledger.chain import FIELDS, START, Value, link
from plugin.ledger.tables import ledger
from plugin.ledger.verify import verify
from tests.ledger.world import DAY, World, call, outcome

COUNT = 7


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Seven rows: six calls and an act."""
    world = World(tmp_path)
    with world.journal("w") as journal:
        for number in range(1, COUNT):
            given = call(number, caller_id=f"key_{number % 2}")
            journal.opened(given)
            journal.settled(number, given, outcome(detail='{"limit":"none"}'))
        journal.act("key created", "key_1", {"name": "Ann"})
    assert world.drain()
    assert world.faults() == []
    return world


@given(st.lists(st.none() | st.integers(-(2**63), 2**63 - 1) | st.text(), max_size=21))
def test_anybody_can_recompute_a_hash(fields: Sequence[Value]) -> None:
    text = json.dumps(fields, ensure_ascii=False, separators=(",", ":"))
    assert link(START, fields) == hashlib.sha256(bytes(32) + text.encode()).digest()


def test_everything_of_a_row_is_in_its_hash() -> None:
    assert [*FIELDS, "hash"] == [column.name for column in ledger.columns]


def test_a_whole_ledger_has_no_faults(world: World) -> None:
    verdict = verify(world.database)
    assert (verdict.rows, verdict.faults) == (COUNT, [])
    (last,) = world.rows("act")
    assert verdict.head == last["hash"]


@pytest.mark.parametrize("serial", [1, 4, COUNT])
@pytest.mark.parametrize("column", [column.name for column in ledger.columns])
def test_a_change_of_any_column_is_found(world: World, column: str, serial: int) -> None:
    kind = ledger.c[column].type
    value: object = 4_711
    if isinstance(kind, String | Text):
        value = "another"
    if isinstance(kind, LargeBinary):
        value = bytes(32)
    world.change(f"UPDATE ledger SET {column} = ? WHERE serial = ?", value, serial)  # noqa: S608 - our own
    (fault,) = world.faults()
    assert fault.serial == serial
    missing = column == "serial" and serial < COUNT
    assert ("is missing" if missing else "was ") in fault.what or column == "serial"


@pytest.mark.parametrize("serial", range(1, COUNT + 1))
def test_a_row_that_was_removed_is_found(world: World, serial: int) -> None:
    world.change("DELETE FROM ledger WHERE serial = ?", serial)
    (fault,) = world.faults()
    assert fault.serial == serial
    assert f"row {serial} is missing" in fault.what


@pytest.mark.parametrize("serial", range(1, COUNT))
def test_rows_that_moved_up_into_a_gap_are_found(world: World, serial: int) -> None:
    world.change("DELETE FROM ledger WHERE serial = ?", serial)
    world.change("UPDATE ledger SET serial = serial - 1 WHERE serial > ?", serial)
    world.change("UPDATE ledger_head SET serial = serial - 1")
    (fault,) = world.faults()
    assert fault.serial == serial
    assert "was changed, or stands in another's place" in fault.what


def test_rows_that_changed_places_are_found(world: World) -> None:
    for old, new in ((2, 99), (5, 2), (99, 5)):
        world.change("UPDATE ledger SET serial = ? WHERE serial = ?", new, old)
    (fault,) = world.faults()
    assert fault.serial == 2


def test_a_row_behind_the_last_one_is_found(world: World) -> None:
    names = ", ".join(FIELDS[5:])
    world.change(
        f"INSERT INTO ledger (serial, kind, time, worker, number, {names}, hash) "  # noqa: S608 - our own
        f"SELECT 8, kind, time, 'x', 1, {names}, hash FROM ledger WHERE serial = 3"
    )
    (fault,) = world.faults()
    assert fault == type(fault)(8, "row 8 was added: the ledger ends with row 7")


def test_the_writer_goes_on_behind_a_row_that_was_added(world: World) -> None:
    test_a_row_behind_the_last_one_is_found(world)
    with world.journal("v") as journal:
        journal.settled(1, call(50), outcome())
    assert world.drain()
    assert world.ids()[-1] == "req_50"
    (fault,) = world.faults()
    assert fault.serial == 8


def test_a_row_before_the_first_is_found(world: World) -> None:
    world.change("UPDATE ledger SET serial = -1 WHERE serial = 1")
    (fault,) = world.faults()
    assert fault.serial == -1


def test_removing_the_last_rows_and_the_head_leaves_the_balances(world: World) -> None:
    (_, last), *_ = [(row["serial"], row["hash"]) for row in world.rows() if row["serial"] == 5]
    world.change("DELETE FROM ledger WHERE serial > 5")
    world.change("UPDATE ledger_head SET serial = 5, hash = ?", last)
    (fault, *_rest) = world.faults()
    assert fault.serial is None
    assert "its rows add up to" in fault.what


def test_a_lost_head_is_found_and_noted_by_the_writer(world: World) -> None:
    world.change("DELETE FROM ledger_head")
    (fault,) = world.faults()
    assert fault.what == "nothing says that row 7 is the last one"
    with world.journal("v") as journal:
        journal.settled(1, call(50), outcome())
    assert world.drain()
    assert world.faults() == []
    assert [row["action"] for row in world.rows("act")] == ["key created", "ledger head lost"]


@pytest.mark.parametrize("column", ["calls", "tokens_in", "tokens_out", "units"])
def test_a_balance_that_is_no_sum_is_found(world: World, column: str) -> None:
    world.change(f"UPDATE ledger_balances SET {column} = {column} + 1 WHERE caller_id = 'key_1'")  # noqa: S608 - our own
    (fault,) = world.faults()
    assert fault.serial is None
    assert fault.what.startswith(
        "the balance of key_1 on 2027-01-15 /v1/chat/completions small says "
    )
    assert column.replace("_", " ") in fault.what


def test_a_balance_too_few_or_too_many_is_found(world: World) -> None:
    world.change("UPDATE ledger_balances SET day = ? WHERE caller_id = 'key_1'", DAY + 1)
    assert len(world.faults()) == 5  # four sums that should be zero, and one that is not there
