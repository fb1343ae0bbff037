"""Who is calling, and what they may do."""

from dataclasses import dataclass

EVERYTHING = "*"
"""The scope that stands for every scope, also for those that come later."""


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated caller; a rotated key keeps its `id`, so what it stored stays its own."""

    id: str
    name: str
    scopes: frozenset[str]

    def may(self, scope: str) -> bool:
        """Whether this caller holds `scope`."""
        return scope in self.scopes or EVERYTHING in self.scopes
