"""Where a new count has no room, the call is not let in, and nothing else is harmed."""

import asyncio
from collections.abc import Awaitable
from pathlib import Path

import pytest

from plugin.auth.caller import Caller
from plugin.errors import LimitReached, StorageUnavailable
from plugin.gate.admission import Admission, Ending
from plugin.gate.counters import file as counter_file
from plugin.gate.gate import Gate
from plugin.gate.limits import Limit
from plugin.gate.queue import Room
from tests.gate.gates import gate_with

EACH_KEY = Limit("key", "*", "requests", "minute", 5)


def admit(gate: Gate, name: str) -> Admission:
    found = gate.admit(Caller(f"key_{name}", name, frozenset()), "chat", "gpt", "req_1")
    assert isinstance(found, Admission)
    return found


def fills_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counter_file, "_MOST", 2)


def disk_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(_file: int, _size: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(counter_file, "_provide", refuses)


@pytest.mark.parametrize("happens", [fills_up, disk_is_full])
def test_who_needs_a_new_count_is_told_and_the_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, happens: object
) -> None:
    monkeypatch.setattr(counter_file, "_STEP", 2)
    with gate_with(tmp_path, EACH_KEY) as (gate, book):
        ann = admit(gate, "ann")  # a count of her minute, and one of what is under way
        assert callable(happens)
        happens(monkeypatch)
        with pytest.raises(StorageUnavailable, match="nothing was done") as refused:
            admit(gate, "bob")
        assert refused.value.headers == {"retry-after": "1"}
        assert len(book.opened_calls) == 1
        admit(gate, "ann").settle(Ending(200))
        ann.settle(Ending(200))
        monkeypatch.undo()
        admit(gate, "bob").settle(Ending(200))


def test_what_cannot_be_given_back_now_is_given_back_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def out_of_reach(*_: object) -> None:
        raise OSError(12, "Cannot allocate memory")

    with gate_with(tmp_path, Limit("key", "*", "concurrent", "none", 1)) as (gate, book):
        ann = admit(gate, "ann")
        with monkeypatch.context() as patched:
            patched.setattr(gate.counters, "settle", out_of_reach)
            ann.settle(Ending(200))
            gate.tick()
            gate.tick()
        assert len(caplog.records) == 1, "a fault is logged once, not at every attempt"
        assert book.only[1].status == 200
        with pytest.raises(LimitReached):
            admit(gate, "ann")
        gate.tick()
        admit(gate, "ann").settle(Ending(200))


def test_a_refusal_whose_level_cannot_be_read_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def out_of_reach(_: object) -> None:
        raise OSError(5, "Input/output error")

    with gate_with(tmp_path, Limit("key", "*", "requests", "minute", 1)) as (gate, _):
        admit(gate, "ann").settle(Ending(200))
        monkeypatch.setattr(gate.counters, "level", out_of_reach)
        with pytest.raises(StorageUnavailable, match="nothing was done"):
            admit(gate, "ann")


async def test_who_waits_in_line_is_told_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    only = Limit("all", "*", "concurrent", "none", 1)
    with gate_with(tmp_path, only, room=Room(5, 5.0)) as (gate, _):
        first = admit(gate, "ann")
        waiting = [
            gate.admit(Caller(f"key_{name}", name, frozenset()), "chat", "gpt", "req_1")
            for name in ("bob", "cid")
        ]
        assert all(isinstance(one, Awaitable) for one in waiting)
        tasks = [asyncio.ensure_future(one) for one in waiting if isinstance(one, Awaitable)]
        await asyncio.sleep(0.05)

        def full(_takes: object) -> None:
            raise OverflowError("too many counts")

        with monkeypatch.context() as patch:
            patch.setattr(gate.counters, "take", full)
            for task in tasks:
                with pytest.raises(StorageUnavailable):
                    await task
        first.settle(Ending(200))
        admit(gate, "ann").settle(Ending(200))
