"""Calls judged per second, on one core, in CPU time.

Small calls with arguments as text, as providers write them: decoded, judged, and, where they are
wrong, explained. Then the whole way from JSON lines, each with its own request, to JSON lines.
"""

import io
import json
import statistics
import time
from collections.abc import Callable
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from plugin.harness import transcript
from plugin.harness.declared import Judges
from plugin.harness.json_text import dumps
from plugin.harness.judge import Judge
from plugin.harness.reports import text as report
from plugin.harness.transcript import Reply
from plugin.messages import Call

SAMPLES = Path(__file__).parents[1] / "harness" / "samples"
CORPUS = Path(__file__).parents[3] / "shared" / "corpus" / "calls"
ROUNDS = 7
CALLS = 10_000


def main() -> None:
    """Print the median of each measurement."""
    golden = json.loads((SAMPLES / "judge.json").read_bytes())
    tools = [tool["function"] for tool in golden["tools"]]
    judge = Judge({tool["name"]: tool["parameters"] for tool in tools})
    recorded = [call for reply in golden["replies"] for call in reply["calls"]]
    good = [Call(None, one["name"], one["arguments"]) for one in recorded if not one["faults"]]
    wrong = [Call(None, one["name"], one["arguments"]) for one in recorded if one["faults"]]
    _show("good calls", _rate(judge, _take(good, CALLS)))
    _show("2 % wrong", _rate(judge, _take(good, CALLS * 49 // 50) + _take(wrong, CALLS // 50)))
    _show("wrong calls", _rate(judge, _take(wrong, CALLS // 10)))
    for file in (SAMPLES / "wire.jsonl", CORPUS / "wire_interactions.jsonl"):
        if file.exists():
            data = file.read_bytes()
            rows = data.count(b"\n")
            size = len(data) / rows / 1000
            rate = statistics.median(_timed(partial(_lines, data), rows))
            _show(f"rows of {file.name} ({size:.1f} kB each), lines in, lines out", rate)


def _take(calls: list[Call], count: int) -> list[Call]:
    return list(islice(cycle(calls), count))


def _rate(judge: Judge, calls: list[Call]) -> float:
    def run() -> None:
        for call in calls:
            judge.judge([call])

    return statistics.median(_timed(run, len(calls)))


def _lines(data: bytes) -> None:
    judges = Judges()
    for reply in transcript.read(io.BytesIO(data)):
        if isinstance(reply, Reply):
            verdicts = judges.verdicts(reply)
            dumps(report.judged_line(reply, verdicts, judges.judge_of(reply)))


def _timed(run: Callable[[], Any], count: int) -> list[float]:
    rates = []
    for _ in range(ROUNDS):
        started = time.process_time()
        run()
        rates.append(count / (time.process_time() - started))
    return rates


def _show(what: str, rate: float) -> None:
    print(f"{rate:>12,.0f} /s  {what}")


if __name__ == "__main__":
    main()
