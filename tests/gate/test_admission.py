"""What a call takes when it comes, what it may cost, and that its end is told once."""

import asyncio
import re
from collections.abc import Awaitable
from pathlib import Path

import pytest

from plugin.auth.caller import Caller
from plugin.errors import BudgetUsedUp, LimitReached, StorageUnavailable, TokenLimitReached
from plugin.gate.admission import Admission, Ending
from plugin.gate.gate import Gate
from plugin.gate.limits import Limit
from plugin.gate.prices import Bound, Price
from plugin.gate.queue import Room
from tests.gate.gates import gate_with

ANN = Caller("key_ann", "Ann", frozenset({"*"}))
BOB = Caller("key_bob", "Bob", frozenset({"*"}))
DONE = Ending(200)


def limit(measure: str, cap: int, period: str = "none", scope: str = "key") -> Limit:
    return Limit(scope, "*", measure, period, cap)  # type: ignore[arg-type]


def admit(gate: Gate, caller: Caller = ANN, action: str = "chat") -> Admission:
    found = gate.admit(caller, action, "gpt", "req_1")
    assert isinstance(found, Admission)
    return found


def left(admission: Admission) -> dict[str, int]:
    return {
        label: level.left
        for plan, levels in admission.standing
        for label, level in zip(plan.shape.labels, levels, strict=True)
    }


def test_a_call_is_opened_and_settled_once(tmp_path: Path) -> None:
    with gate_with(tmp_path) as (gate, book):
        admission = admit(gate)
        assert not book.settled_calls
        admission.settle(Ending(200, tokens_in=3, tokens_out=4, model="m", answered_by="x"))
        admission.settle(Ending(None, "caller left"))
        call, outcome = book.only
    assert (call.caller_id, call.caller_name, call.door, call.action) == (
        *("key_ann", "Ann", "gpt", "chat"),
    )
    assert (call.model, outcome.status, outcome.ended) == ("m", 200, "whole")
    assert (outcome.tokens_in, outcome.tokens_out, outcome.answered_by) == (3, 4, "x")


def test_nobody_is_let_in_while_nothing_can_be_written_down(tmp_path: Path) -> None:
    with gate_with(tmp_path, limit("requests", 1)) as (gate, book):
        book.healthy = False
        with pytest.raises(StorageUnavailable, match="nothing was done"):
            admit(gate)
        assert not book.opened_calls
        book.healthy = True
        admit(gate)
        with pytest.raises(LimitReached):
            admit(gate)


async def test_the_ledger_says_once_what_was_left_of_a_limit_that_was_met_twice(
    tmp_path: Path,
) -> None:
    prices = {"paid": Price(call=5), "large": Price(call=7)}
    with gate_with(tmp_path, limit("units", 100), prices=prices) as (gate, book):
        admission = admit(gate, action="paid")
        await admission.reserve("large", lambda: Bound(1, 1))
        admission.settle(DONE)
        admit(gate, action="paid").settle(DONE)
    details = [outcome.detail or "" for _, _, outcome in book.settled_calls]
    assert details == ['{"left":{"key-units":88}}', '{"left":{"key-units":83}}']


def test_what_runs_is_free_again_when_it_ends(tmp_path: Path) -> None:
    with gate_with(tmp_path, limit("concurrent", 2)) as (gate, _):
        first, second = admit(gate), admit(gate)
        assert left(second) == {"key-concurrent": 0}
        with pytest.raises(LimitReached) as refused:
            admit(gate)
        assert refused.value.headers["retry-after"] == "1"
        admit(gate, BOB).settle(DONE)
        first.settle(DONE)
        admit(gate).settle(DONE)
        second.settle(DONE)


def test_a_refusal_says_which_limit_what_is_left_when_and_how_to_raise_it(tmp_path: Path) -> None:
    with gate_with(tmp_path, limit("requests", 2, "minute")) as (gate, book):
        for _ in range(2):
            admit(gate).settle(DONE)
        with pytest.raises(LimitReached) as caught:
            admit(gate)
        assert len(book.opened_calls) == 2
    error = caught.value
    assert (error.status, error.code, error.kind) == (429, "rate_limit_exceeded", "requests")
    assert "2 requests a minute for the key key_ann" in error.detail
    assert "0 are left" in error.detail
    wait = re.search(r"Try again in ([\d.]+) s; all of it is free again in", error.detail)
    assert wait is not None
    assert 59 < float(wait[1]) <= 60.6
    assert "`plugin limits set requests 4 --per minute --key key_ann`" in error.detail
    assert 0 <= int(error.headers["retry-after"]) - float(wait[1]) < 1.1
    assert 59_000 < int(error.headers["retry-after-ms"]) <= 60_600


def test_a_change_counts_from_the_next_call_on(tmp_path: Path) -> None:
    with gate_with(tmp_path, limit("requests", 1, "day")) as (gate, _):
        admit(gate).settle(DONE)
        with pytest.raises(LimitReached):
            admit(gate)
        gate._watched.limits = [limit("requests", 2, "day")]  # type: ignore[attr-defined]
        assert left(admit(gate))["key-requests-day"] == 0


async def test_tokens_are_reserved_and_what_was_not_needed_is_given_back(tmp_path: Path) -> None:
    with gate_with(tmp_path, limit("tokens", 100, "minute")) as (gate, _):
        first = admit(gate)
        await first.reserve("m", lambda: Bound(30, 40))
        assert left(first)["key-tokens-minute"] == 30
        second = admit(gate)
        with pytest.raises(TokenLimitReached) as caught:
            await second.reserve("m", lambda: Bound(30, 40))
        assert "it may need 70 tokens, 30 are left" in caught.value.detail
        assert caught.value.kind == "tokens"
        second.settle(Ending(429))
        first.settle(Ending(200, tokens_in=5, tokens_out=5))
        third = admit(gate)
        await third.reserve("m", lambda: Bound(0, 90))
        assert left(third)["key-tokens-minute"] == 0


async def test_a_call_that_can_never_pass_is_told_so(tmp_path: Path) -> None:
    with gate_with(tmp_path, limit("tokens", 100, "minute")) as (gate, _):
        admission = admit(gate)
        with pytest.raises(TokenLimitReached, match="can never pass: send less") as caught:
            await admission.reserve("m", lambda: Bound(50, 51))
    assert "retry-after" not in caught.value.headers
    assert caught.value.headers["x-should-retry"] == "false"


async def test_what_is_refused_at_its_model_counts_nowhere(tmp_path: Path) -> None:
    limits = (limit("requests", 1, "day"), limit("requests", 0, "day", "model"))
    with gate_with(tmp_path, *limits) as (gate, book):
        for _ in range(3):
            admission = admit(gate)
            with pytest.raises(LimitReached, match="the model m"):
                await admission.reserve("m", lambda: Bound(1, 1))
            admission.settle(Ending(429))
        details = [outcome.detail for _, _, outcome in book.settled_calls]
    assert all('"refused_by":"model-requests-day"' in (detail or "") for detail in details)


async def test_a_budget_is_reserved_before_and_charged_after(tmp_path: Path) -> None:
    prices = {"m": Price(1_000_000, 2_000_000, 5)}
    with gate_with(tmp_path, limit("units", 100), prices=prices) as (gate, book):
        admission = admit(gate)
        await admission.reserve("m", lambda: Bound(15, 40))
        assert left(admission) == {"key-concurrent": 255, "key-units": 0}
        other = admit(gate)
        with pytest.raises(BudgetUsedUp) as caught:
            await other.reserve("m", lambda: Bound(0, 0))
        other.settle(Ending(429))
        admission.settle(Ending(200, tokens_in=10, tokens_out=20))
        units = [(call.reserved, outcome.units) for _, call, outcome in book.settled_calls]
        assert units == [(0, 0), (100, 55)]
        third = admit(gate)
        await third.reserve("m", lambda: Bound(0, 20))
        assert left(third)["key-units"] == 0
    error = caught.value
    assert (error.code, error.kind) == ("insufficient_quota", "insufficient_quota")
    assert "A budget for good does not reset." in error.detail
    assert "retry-after" not in error.headers


async def test_a_budget_is_never_overdrawn_whatever_the_engine_counts(tmp_path: Path) -> None:
    prices = {"m": Price(1_000_000, 1_000_000)}
    with gate_with(tmp_path, limit("units", 10), prices=prices) as (gate, book):
        admission = admit(gate)
        await admission.reserve("m", lambda: Bound(4, 4))
        admission.settle(Ending(200, tokens_in=1000, tokens_out=1000))
        call, outcome = book.only
    assert (call.reserved, outcome.units) == (8, 8)
    assert (outcome.tokens_in, outcome.tokens_out) == (1000, 1000)


@pytest.mark.parametrize(
    ("ending", "units"), [(DONE, 7), (Ending(None, "caller left"), 7), (Ending(503), 0)]
)
def test_an_operation_costs_what_its_call_costs_unless_it_failed(
    tmp_path: Path, ending: Ending, units: int
) -> None:
    with gate_with(tmp_path, limit("units", 7), prices={"chat": Price(call=7)}) as (gate, book):
        admission = admit(gate)
        with pytest.raises(BudgetUsedUp):
            admit(gate)
        assert admission.settle(ending) == units
        assert book.only[1].units == units
        admit(gate, action="free").settle(DONE)
        if units == 0:
            admit(gate)


def test_a_budget_of_a_month_tells_when_it_resets(tmp_path: Path) -> None:
    with gate_with(tmp_path, limit("requests", 1, "month")) as (gate, _):
        admit(gate).settle(DONE)
        with pytest.raises(BudgetUsedUp, match=r"It resets at \d{4}-\d\d-01T00:00:00Z") as caught:
            admit(gate)
    assert 0 < int(caught.value.headers["retry-after"]) <= 31 * 86_400


def test_a_limit_of_nothing_says_so(tmp_path: Path) -> None:
    with gate_with(tmp_path, limit("requests", 0, "second")) as (gate, _):
        with pytest.raises(LimitReached, match="Nothing passes while the limit is 0") as caught:
            admit(gate)
        assert "retry-after" not in caught.value.headers


def test_a_new_month_is_noticed(tmp_path: Path) -> None:
    with gate_with(tmp_path, limit("requests", 1, "month")) as (gate, _):
        admit(gate).settle(DONE)
        now = gate.clock()
        gate.clock = lambda: now + 32 * 86_400
        gate.tick()
        admit(gate).settle(DONE)


async def test_by_setting_a_call_waits_instead(tmp_path: Path) -> None:
    with gate_with(tmp_path, limit("concurrent", 1), room=Room(5, 5)) as (gate, book):
        first = admit(gate)
        later = gate.admit(ANN, "chat", "gpt", "req_2")
        assert isinstance(later, Awaitable)
        first.settle(DONE)
        second = await later
        assert len(book.opened_calls) == 2
        second.settle(DONE)
        assert '"waited_ms":' in (book.settled_calls[1][2].detail or "")


async def test_who_waited_in_vain_is_refused_as_if_at_once(tmp_path: Path) -> None:
    with gate_with(tmp_path, limit("concurrent", 1), room=Room(5, 0.02)) as (gate, book):
        first = admit(gate)
        later = gate.admit(ANN, "chat", "gpt", "req_2")
        assert isinstance(later, Awaitable)
        with pytest.raises(LimitReached, match="1 concurrent requests"):
            await later
        assert len(book.opened_calls) == 1
        first.settle(DONE)


async def test_nobody_overtakes_those_who_wait(tmp_path: Path) -> None:
    with gate_with(tmp_path, limit("concurrent", 1, scope="all"), room=Room(1, 5)) as (gate, _):
        first = admit(gate)
        later = gate.admit(ANN, "chat", "gpt", "req_2")
        assert isinstance(later, Awaitable)
        waiting = asyncio.ensure_future(later)
        await asyncio.sleep(0)
        first.settle(DONE)
        with pytest.raises(LimitReached):  # one may wait, and somebody does
            gate.admit(BOB, "chat", "gpt", "req_3")
        (await waiting).settle(DONE)
        admit(gate, BOB).settle(DONE)
