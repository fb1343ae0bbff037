"""Good calls to make mistakes in: those of the samples, and of the larger collection."""

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
from tests.harness.recordings import CORPUS, SAMPLES, chosen, lines_of


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
    """The samples that lie beside the tests."""
    golden = json.loads((SAMPLES / "judge.json").read_bytes())
    judge = Judge(read_tools(golden["tools"]))
    for row, recorded in enumerate(golden["replies"], start=1):
        calls = tuple(Call(None, call["name"], call["arguments"]) for call in recorded["calls"])
        reply = Reply(row, 0, "calls", calls, None)
        yield Judged(reply, judge.judge_reply(reply), judge)
    yield from _on_the_wire(SAMPLES / "wire.jsonl")


def collected() -> Iterator[Judged]:
    """Every recorded call, every trajectory, every accepted answer of the benchmark."""
    yield from _on_the_wire(CORPUS / "wire_interactions.jsonl")
    tools = json.loads((CORPUS / "tau_airline_tools.json").read_bytes())
    yield from _on_the_wire(CORPUS / "tau_gpt4o_airline.jsonl", Judge(read_tools(tools)))
    for answers in sorted(CORPUS.glob("bfcl_v4_*.answers.quarter.jsonl")):
        questions = answers.with_name(answers.name.replace(".answers", ""))
        functions = {row["id"]: row["function"] for row in lines_of(questions)}
        for number, row in enumerate(lines_of(answers), start=1):
            judge = Judge(read_tools(functions[row["id"]]))
            calls = tuple(
                Call(None, name, json.dumps(chosen(accepted)))
                for answer in row["ground_truth"]
                for name, accepted in answer.items()
            )
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
