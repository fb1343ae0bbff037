"""Answers that are still coming, and how long they may take."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pace:
    """How long one stream may take, in seconds: between two pieces, and in all if that is given."""

    idle: float
    total: float | None = None


@dataclass(frozen=True, slots=True)
class Streamed:
    """An answer that is still coming: its head, and its body piece by piece, as it came.

    Neither is touched: header names and values are the upstream's bytes, a compressed body stays
    compressed. `pieces` raises `SourceUnavailable` when the answer breaks off.
    """

    status: int
    headers: Sequence[tuple[bytes, bytes]]
    pieces: AsyncIterator[bytes]
