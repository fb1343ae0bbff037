"""What is left of limits, as figures with few labels."""

from pathlib import Path

import pytest

from plugin.auth.caller import Caller
from plugin.gate.admission import Admission, Ending
from plugin.gate.gate import Gate
from plugin.gate.limits import Limit
from plugin.telemetry import names
from plugin.telemetry import remaining as module
from plugin.telemetry.remaining import Remaining
from plugin.telemetry.samples import Figures
from tests.gate.gates import gate_with
from tests.ledger.world import World, call, outcome

LIMITS = (
    Limit("key", "*", "requests", "month", 10),
    Limit("key", "key_ann", "requests", "month", 20),
    Limit("all", "*", "requests", "day", 100),
    Limit("model", "*", "tokens", "day", None),
)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    world = World(tmp_path / "data")
    monkeypatch.setattr(module, "_BUSIEST", 2)
    with world.journal() as journal:
        for number, name in enumerate(["bob"] * 3 + ["cid"] * 2 + ["dan"]):
            one = call(number, caller_id=f"key_{name}", model=None)
            journal.settled(journal.opened(one), one, outcome())
    assert world.drain()
    return world


def left(gate: Gate, world: World) -> dict[tuple[str, ...], float]:
    figures, remaining = Figures(), Remaining(gate, world.url)
    remaining.add(figures, remaining.busiest(remaining.scopes()))
    assert figures.rows[names.CAP.name].keys() == figures.rows[names.LEFT.name].keys()
    return {labels: row[0] for labels, row in figures.rows[names.LEFT.name].items()}


def test_what_was_set_for_somebody_and_the_busiest_are_told(tmp_path: Path, world: World) -> None:
    with gate_with(tmp_path, *LIMITS) as (gate, _):
        for name in ("ann", "bob"):
            found = gate.admit(Caller(f"key_{name}", name, frozenset()), "chat", "gpt", "req_1")
            assert isinstance(found, Admission)
            found.settle(Ending(200))
        assert left(gate, world) == {
            ("all-requests-day", "*"): 98,
            ("key-requests-month", "key_ann"): 19,
            ("key-requests-month", "key_bob"): 9,
            ("key-requests-month", "key_cid"): 10,
            ("key-concurrent", "key_bob"): 256,
            ("key-concurrent", "key_cid"): 256,
        }


def test_labels_stay_few(tmp_path: Path, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST", 3)
    with gate_with(tmp_path, *LIMITS) as (gate, _):
        assert len(left(gate, world)) == 3


def test_a_database_that_cannot_be_asked_costs_the_busiest_alone(tmp_path: Path) -> None:
    with gate_with(tmp_path, *LIMITS) as (gate, _):
        lost = Remaining(gate, f"sqlite:///{tmp_path}")
        assert lost.busiest(lost.scopes()) == {}
