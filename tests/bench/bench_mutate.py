"""Mistakes made and undone per second, on one core, in CPU time; memory on a long transcript.

Small calls with arguments as text, as providers write them. Then the whole way from JSON lines to
JSON lines, by file size: the peak of memory has to stay where it is.
"""

import io
import json
import statistics
import time
import tracemalloc
from collections.abc import Callable, Iterator
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from plugin.harness import transcript
from plugin.harness.declared import Judges
from plugin.harness.json_text import dumps
from plugin.harness.judge import Judge
from plugin.harness.mutate import Mutated, Mutator, is_good
from plugin.harness.repair import Mode, Repairs
from plugin.harness.reports import text as report
from plugin.harness.transcript import Reply
from plugin.messages import Call

SAMPLES = Path(__file__).parents[1] / "harness" / "samples"
ROUNDS = 7
CALLS = 3_000
LINES = 2_000, 20_000


def main() -> None:
    """Print the median of each measurement."""
    golden = json.loads((SAMPLES / "judge.json").read_bytes())
    tools = [tool["function"] for tool in golden["tools"]]
    judge = Judge({tool["name"]: tool["parameters"] for tool in tools})
    recorded = [call for reply in golden["replies"] for call in reply["calls"]]
    good = [Call(None, one["name"], one["arguments"]) for one in recorded if not one["faults"]]
    rows = [Reply(n, 0, "calls", (c,), None) for n, c in enumerate(islice(cycle(good), CALLS))]
    judged = [(row, judge.judge_reply(row)) for row in rows]

    def made(mutator: Mutator) -> Iterator[Mutated]:
        for row, verdicts in judged:
            yield from mutator.mutations(row, verdicts, judge)

    _show("mistakes made, one in each call", _rate(lambda: sum(1 for _ in made(Mutator(1)))))
    _show("mistakes made, ten in each call", _rate(lambda: sum(1 for _ in made(Mutator(1, 10)))))
    mistakes = list(made(Mutator(1, 10)))
    wrong = [judge.judge(one.calls)[-1] for one in mistakes]
    for mode in (Mode.LOSSLESS, Mode.LENIENT):
        rate = _rate(partial(_repaired, Repairs(judge, mode), wrong))
        _show(f"calls repaired or given up, {mode}", rate)
    fine = [verdict for _, verdicts in judged for verdict in verdicts if is_good(verdict)]
    rate = _rate(partial(_repaired, Repairs(judge, Mode.LOSSLESS), fine))
    _show("good calls passed by repairs", rate)
    for lines in LINES:
        _show_memory(lines)


def _repaired(repairs: Repairs, verdicts: list[Any]) -> int:
    for verdict in verdicts:
        repairs.repair(verdict)
    return len(verdicts)


def _rate(run: Callable[[], int]) -> float:
    rates = []
    for _ in range(ROUNDS):
        started = time.process_time()
        count = run()
        rates.append(count / (time.process_time() - started))
    return statistics.median(rates)


def _show(what: str, rate: float) -> None:
    print(f"{rate:>12,.0f} /s  {what}")


def _show_memory(lines: int) -> None:
    """The peak while every mistake is made in a file of so many lines, each with its own tools."""
    sample = (SAMPLES / "wire.jsonl").read_bytes().splitlines(keepends=True)
    data = b"".join(islice(cycle(sample), lines))
    mutator, judges, count = Mutator(1, every=True), Judges(), 0
    tracemalloc.start()
    for reply in transcript.read(io.BytesIO(data)):
        judge = judges.judge_of(reply) if isinstance(reply, Reply) else None
        if isinstance(reply, Reply) and judge is not None:
            for mutated in mutator.mutations(reply, judges.verdicts(reply), judge):
                dumps(report.mutated_line(mutated, reply.tools))
                count += 1
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    megabytes = len(data) / 1e6
    print(f"{peak / 1e6:>12.1f} MB at most, {count:,} mistakes, from {megabytes:,.1f} MB of lines")


if __name__ == "__main__":
    main()
