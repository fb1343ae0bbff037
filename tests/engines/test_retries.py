from hypothesis import given
from hypothesis import strategies as st

from plugin.engines.retries import RetryBudget, Waits


@given(st.lists(st.booleans(), max_size=500))
def test_retries_are_a_tenth_of_the_calls_beyond_a_reserve(order: list[bool]) -> None:
    budget = RetryBudget(share=0.1, reserve=10)
    calls = taken = 0
    for is_call in order:
        if is_call:
            budget.called()
            calls += 1
        else:
            taken += budget.take()
        assert taken <= 10 + calls / 10 + 1e-9


def test_what_was_not_used_is_not_saved_up_beyond_the_reserve() -> None:
    budget = RetryBudget(share=0.1, reserve=3)
    for _ in range(1000):
        budget.called()
    assert [budget.take() for _ in range(5)] == [True, True, True, False, False]


@given(st.integers(0, 10), st.floats(0, 1), st.none() | st.floats(0, 1000))
def test_waits_grow_are_scattered_and_honour_what_was_asked(
    retry: int, chance: float, asked: float | None
) -> None:
    wait = Waits(chance=lambda: chance).before(retry, asked)
    longest = min(8.0, 0.25 * 2**retry)
    assert wait >= longest / 2
    assert wait >= (asked or 0)
    assert wait <= max(longest, asked or 0)
