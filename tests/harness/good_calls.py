"""Good calls to make mistakes in: those of the samples, and of the real collection."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from plugin.contract.declared import read_tools
from plugin.harness import transcript
from plugin.harness.declared import Judges
from plugin.harness.judge import Judge, Verdict, strict_names
from plugin.harness.mutate import Mutated, Mutator
from plugin.harness.transcript import Reply
from plugin.messages import Call
from tests.harness.recordings import COLLECTIONS, SAMPLES, Collection


@dataclass(frozen=True)
class Judged:
    """A reply with its verdicts and what gave them."""

    reply: Reply
    verdicts: list[Verdict]
    judge: Judge
    all_known: bool = True

    def mutations(self, mutator: Mutator) -> list[Mutated]:
        found = mutator.mutations(self.reply, self.verdicts, self.judge, all_known=self.all_known)
        return list(found)

    def verdict(self, mutated: Mutated) -> Verdict:
        """The verdict on the call at fault."""
        return self.judge.judge(mutated.calls, strict=strict_names(self.reply.tools))[-1]


def judged(schema: Any, arguments: Any, name: str = "do") -> Judged:
    """One call of one tool, and it has to be good."""
    judge = Judge({name: schema})
    reply = Reply(1, 0, "calls", (Call("call_1", name, arguments),), None)
    verdicts = judge.judge_reply(reply)
    assert verdicts[0].faults == ()
    return Judged(reply, verdicts, judge)


def sampled() -> Iterator[Judged]:
    """The calls of the samples beside these tests."""
    golden = json.loads((SAMPLES / "judge.json").read_bytes())
    judge = Judge(read_tools(golden["tools"]))
    for row, recorded in enumerate(golden["replies"], start=1):
        calls = tuple(Call(None, call["name"], call["arguments"]) for call in recorded["calls"])
        reply = Reply(row, 0, "calls", calls, None)
        yield Judged(reply, judge.judge_reply(reply), judge)
    yield from gathered(COLLECTIONS["samples"])


def collected() -> Iterator[Judged]:
    """The calls of the real recordings."""
    yield from gathered(COLLECTIONS["collection"])


def gathered(collection: Collection) -> Iterator[Judged]:
    """Every recorded call, every conversation, every accepted answer."""
    yield from _on_the_wire(collection.wire)
    yield from _on_the_wire(collection.talks, collection.judge_of_talks())
    for number, (_, judge, calls) in enumerate(collection.answered(), start=1):
        reply = Reply(number, 0, "calls", calls, None)
        yield Judged(reply, judge.judge_reply(reply), judge)


def _on_the_wire(path: Path, given: Judge | None = None) -> Iterator[Judged]:
    judges = Judges(given)
    with path.open("rb") as file:
        for reply in transcript.read(file):
            assert isinstance(reply, Reply)
            judge = judges.judge_of(reply)
            if judge is not None:
                known = judges.knows_every_name(reply)
                yield Judged(reply, judges.verdicts(reply), judge, known)
