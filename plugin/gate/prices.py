"""What calls cost, in units: millionths of a dollar, or of whatever the operator counts in."""

from collections.abc import Mapping
from typing import NamedTuple

_MILLION = 1_000_000


class Price(NamedTuple):
    """Units for a million tokens in, for a million tokens out, and for each call."""

    tokens_in: int = 0
    tokens_out: int = 0
    call: int = 0

    @property
    def is_free(self) -> bool:
        """Whether nothing costs anything."""
        return not any(self)

    def of(self, tokens_in: int, tokens_out: int, calls: int = 1) -> int:
        """The units for so much, rounded up."""
        parts = tokens_in * self.tokens_in + tokens_out * self.tokens_out
        return -(-parts // _MILLION) + calls * self.call


_FREE = Price()


class Prices:
    """The prices of models and operations by their ids; what has none is free."""

    def __init__(self, prices: Mapping[str, Price] | None = None) -> None:
        self._prices = dict(prices or {})

    def of(self, name: str) -> Price:
        """The price of a model or an operation."""
        return self._prices.get(name, _FREE)


class Bound(NamedTuple):
    """The most tokens that a call can take."""

    tokens_in: int
    tokens_out: int
