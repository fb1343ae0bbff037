"""Drift beside the judge: calls per second of CPU time on one core, and peak memory by file size.

The same calls are judged by one contract, and compared under two: where nothing about their tools
changed, where a change breaks none of them, and where it breaks some. The calls come from this
project's worked replies, so the figures hold for small calls.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from plugin.contract.openapi import read
from plugin.harness.drift.compare import Drift
from plugin.harness.judge import Judge
from plugin.harness.transcript import Reply
from plugin.messages import Call

SAMPLES = Path(__file__).parents[1] / "harness" / "samples"
ROUNDS = 7
CALLS = 10_000
MEGABYTES = (1, 10, 100)


def main() -> None:
    """Print the median of each measurement."""
    golden = json.loads((SAMPLES / "judge.json").read_bytes())
    tools = {tool["function"]["name"]: tool["function"] for tool in golden["tools"]}
    good = [
        Call(None, call["name"], call["arguments"])
        for reply in golden["replies"]
        for call in reply["calls"]
        if not call["faults"]
    ]
    replies = [Reply(row, 0, "openai_chat", (good[row % len(good)],), None) for row in range(CALLS)]
    old = _document(tools)
    judge = Judge({name: tool["parameters"] for name, tool in tools.items()})
    _show("judged by one contract", _rate(lambda: [judge.judge_reply(one) for one in replies]))
    for what, new in (
        ("compared, nothing changed", old),
        ("compared, an optional argument more everywhere", _document(tools, more=False)),
        ("compared, one argument more required everywhere", _document(tools, more=True)),
    ):
        drift = Drift(read(old), read(new))
        _show(what, _rate(partial(_exhaust, drift, replies)))
    _show_memory(good, old, _document(tools, more=False))


def _document(tools: dict[str, Any], *, more: bool | None = None) -> str:
    """The tools as operations; `more` adds an argument to each, required or not."""
    paths = {}
    for name, tool in tools.items():
        schema = json.loads(json.dumps(tool["parameters"]))
        if more is not None:
            schema.setdefault("properties", {})["more"] = {"type": "string"}
            schema["required"] = [*schema.get("required", []), *(["more"] if more else [])]
        body = {"content": {"application/json": {"schema": schema}}}
        paths[f"/{name}"] = {"post": {"operationId": name, "requestBody": body}}
    return json.dumps({"openapi": "3.1.0", "paths": paths})


def _exhaust(drift: Drift, replies: list[Reply]) -> None:
    for _ in drift.run(replies):
        pass


def _rate(run: Callable[[], Any]) -> float:
    rates = []
    for _ in range(ROUNDS):
        started = time.process_time()
        run()
        rates.append(CALLS / (time.process_time() - started))
    return statistics.median(rates)


def _show_memory(good: list[Call], old: str, new: str) -> None:
    lines = b"".join(json.dumps(_recording(call)).encode() + b"\n" for call in good)
    with tempfile.TemporaryDirectory() as directory:
        here = Path(directory)
        (here / "old.json").write_text(old)
        (here / "new.json").write_text(new)
        for megabytes in MEGABYTES:
            with (here / "calls.jsonl").open("wb") as file:
                while file.tell() < megabytes * 1_000_000:
                    file.write(lines)
            print(f"{_peak(here):>12,.0f} MB  peak memory, {megabytes} MB of calls")


def _recording(call: Call) -> Any:
    text = call.arguments if isinstance(call.arguments, str) else json.dumps(call.arguments)
    entry = {"type": "function", "function": {"name": call.name, "arguments": text}}
    return {"choices": [{"message": {"tool_calls": [entry]}}]}


def _peak(here: Path) -> float:
    """The most memory that the command held, in megabytes."""
    command = [sys.executable, "-m", "plugin", "drift", "calls.jsonl"]
    arguments = ["--old", "old.json", "--new", "new.json", "--json"]
    code = (
        "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True);"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    ran = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-c", code, *command, *arguments],
        cwd=here,
        capture_output=True,
        check=True,
        text=True,
    )
    return int(ran.stdout.split()[-1]) / 1_000


def _show(what: str, rate: float) -> None:
    print(f"{rate:>12,.0f} /s  {what}")


if __name__ == "__main__":
    main()
