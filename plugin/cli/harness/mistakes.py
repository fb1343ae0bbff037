"""The options about mistakes: made in good calls on purpose, or repaired in wrong ones."""

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from plugin.harness.mutate import Mutator
    from plugin.harness.refusals import Refusals, State
    from plugin.harness.replay import Replay


class Mode(StrEnum):
    """The modes of `harness.repair`, which is not imported until a command runs."""

    OFF = "off"
    LOSSLESS = "lossless"
    LENIENT = "lenient"


Repair = Annotated[
    Mode,
    typer.Option(help="Repair wrong calls before they are sent: without guessing, or leniently."),
]
Mutate = Annotated[
    bool, typer.Option("--mutate", help="Make mistakes in the good calls; grade the refusals.")
]
Seed = Annotated[int, typer.Option(help="The same seed makes the same mistakes.")]
Count = Annotated[int, typer.Option(min=1, help="Mistakes to make in each good call.")]
Every = Annotated[
    bool, typer.Option("--every", help="Each possible mistake once, instead of by measured rate.")
]


@dataclass(frozen=True, slots=True)
class Mistakes:
    """Which mistakes are made in good calls."""

    seed: int
    count: int
    every: bool

    def mutator(self) -> "Mutator":
        """What makes them."""
        from plugin.harness.mutate import Mutator

        return Mutator(self.seed, self.count, every=self.every)

    def refusals(self, replay: "Replay", state: "State | None") -> "Refusals":
        """The run in which they are sent, and their refusals graded."""
        from plugin.harness.refusals import Refusals

        return Refusals(replay, self.mutator(), state)
