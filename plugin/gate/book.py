"""Where admitted calls are written down."""

from typing import Protocol

from plugin.ledger.entries import Call, Outcome


class Book(Protocol):
    """Where calls are written down; see `Journal`."""

    @property
    def healthy(self) -> bool:
        """Whether more calls can be written down."""

    def opened(self, call: Call) -> int:
        """A call was let through; gives its number."""

    def amended(self, number: int, call: Call) -> None:
        """More is known of it."""

    def flush(self) -> None:
        """Have on the disk what was let through."""

    def settled(self, number: int, call: Call, outcome: Outcome) -> None:
        """It has ended."""
