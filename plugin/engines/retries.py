"""When a failed call is tried again: seldom, later each time, and never so often that it hurts."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

_FIRST_WAIT, _LONGEST_BACK_OFF = 0.25, 8.0

MOST_PATIENT = 10.0
"""Seconds that a caller is kept waiting for one retry at most, whatever an upstream asks for."""


class RetryBudget:
    """Retries as a share of calls: an upstream in trouble is not asked twice by everybody.

    Each call brings `share` of a retry, and `reserve` of them are there at first and at most.
    """

    def __init__(self, share: float = 0.1, reserve: float = 10.0) -> None:
        self._share = share
        self._reserve = reserve
        self._left = reserve

    def called(self) -> None:
        """A call was made that was no retry."""
        self._left = min(self._reserve, self._left + self._share)

    def take(self) -> bool:
        """Whether one retry may be made; it is taken from the budget."""
        if self._left < 1:
            return False
        self._left -= 1
        return True


@dataclass(frozen=True, slots=True)
class Waits:
    """How the time between two tries passes; `chance` gives a number from 0 to 1."""

    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    chance: Callable[[], float] = random.random

    def before(self, retry: int, asked: float | None) -> float:
        """Seconds before a retry (0 is the first): doubling, scattered, never less than `asked`."""
        back_off = min(_LONGEST_BACK_OFF, _FIRST_WAIT * 2.0**retry) * (0.5 + self.chance() / 2)
        return max(back_off, asked or 0.0)
