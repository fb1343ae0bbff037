"""A circuit breaker: an address that keeps failing is left alone for a while, then tried once.

It knows nothing of HTTP: whoever calls an address asks for a ticket first and tells it afterwards
what came of the call. A failure is the address's own (not reached, too slow, a server error, an
answer that broke off), never a mistake of the caller.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

State = Literal["closed", "open", "half-open"]


@dataclass(frozen=True, slots=True)
class Patience:
    """After how many failures in a row it opens, and for how long (seconds).

    The rest doubles with each probe that fails, up to `longest`.
    """

    failures: int = 5
    rest: float = 5.0
    longest: float = 60.0


class Breaker:
    """The state of one address. Closed: all calls pass. Open: none. Half-open: one, the probe.

    A ticket is good until the breaker opens the next time: what came of calls from before that says
    nothing about the address now, and is not heard.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        patience: Patience | None = None,
        changed: Callable[[float], None] = lambda _: None,
    ) -> None:
        """`changed` is called with the seconds of rest when it opens, and with 0 when it closes."""
        self._changed = changed
        self._clock = clock
        self._patience = patience or Patience()
        self._generation = 0
        self._failures = 0
        self._rest = self._patience.rest
        self._closed = True
        self._next_probe = 0.0
        self._probing = False

    @property
    def state(self) -> State:
        """What it is now."""
        if self._closed:
            return "closed"
        return "half-open" if self._probing or self.wait == 0 else "open"

    @property
    def wait(self) -> float:
        """Seconds until a call may pass; 0 when one may pass now."""
        return 0.0 if self._closed else max(0.0, self._next_probe - self._clock())

    def enter(self) -> int | None:
        """A ticket for one call, or None when the address is to be left alone.

        In a half-open window (one rest long) exactly one call gets a ticket. If nothing is heard of
        it, the next window has its own.
        """
        if not self._closed:
            if self.wait > 0:
                return None
            self._probing = True
            self._next_probe = self._clock() + self._rest
        return self._generation

    def answers(self, ticket: int) -> None:
        """The address has begun to answer: enough for a probe, which may go on for long.

        After one failure more it opens again, until a call has gone well to its end.
        """
        if ticket == self._generation and not self._closed:
            self._close(self._patience.failures - 1)

    def succeeded(self, ticket: int) -> None:
        """A call went well to its end."""
        if ticket == self._generation:
            self._rest = self._patience.rest
            self._close(0)

    def failed(self, ticket: int) -> None:
        """A call failed, by the fault of the address."""
        if ticket != self._generation:
            return
        self._failures += 1
        if not self._closed:
            self._open(min(self._rest * 2, self._patience.longest))
        elif self._failures >= self._patience.failures:
            self._open(self._rest)

    def left(self, ticket: int) -> None:
        """A call ended without news of the address: the caller left. The next one may probe."""
        if ticket == self._generation and self._probing:
            self._probing = False
            self._next_probe = self._clock()

    def _close(self, failures: int) -> None:
        if not self._closed:
            self._changed(0.0)
        self._closed, self._probing, self._failures = True, False, failures

    def _open(self, rest: float) -> None:
        self._closed, self._probing = False, False
        self._generation += 1
        self._rest = rest
        self._next_probe = self._clock() + rest
        self._changed(rest)
