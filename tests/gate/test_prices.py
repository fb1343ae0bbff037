"""What calls cost."""

from hypothesis import given
from hypothesis import strategies as st

from plugin.gate.prices import Price, Prices

COUNTS = st.integers(0, 10**9)
UNITS = st.integers(0, 10**9)


def test_what_has_no_price_is_free() -> None:
    prices = Prices({"dear": Price(call=3)})
    assert prices.of("dear").of(0, 0) == 3
    assert prices.of("other").is_free
    assert prices.of("other").of(10**9, 10**9) == 0


def test_a_fraction_of_a_unit_is_a_unit_once() -> None:
    assert Price(150_000, 600_000).of(1, 0) == 1
    assert Price(150_000, 600_000).of(1, 1) == 1
    assert Price(150_000, 600_000, 7).of(10, 10) == 8 + 7
    assert Price(1_000_000, 0).of(5, 0) == 5
    assert Price(1, 1, 2).of(0, 0, 0) == 0


@given(UNITS, UNITS, UNITS, COUNTS, COUNTS)
def test_more_never_costs_less_and_less_than_a_unit_is_added(
    tokens_in: int, tokens_out: int, call: int, more_in: int, more_out: int
) -> None:
    price = Price(tokens_in, tokens_out, call)
    cost = price.of(more_in, more_out)
    exact = more_in * tokens_in + more_out * tokens_out
    assert 0 <= (cost - call) * 1_000_000 - exact < 1_000_000
    assert price.of(more_in + 1, more_out) >= cost
