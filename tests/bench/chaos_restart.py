"""All workers replaced one by one, again and again, under live streams: how many are dropped."""

import argparse
import asyncio
import itertools
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import orjson

from tests.clients.event_stream import Answered
from tests.journeys.running import PLUGIN, surroundings
from tests.journeys.streaming import Streaming, children, streaming


async def asking(service: Streaming, stop: asyncio.Event) -> list[Answered]:
    """One caller who asks again and again."""
    answered = list[Answered]()
    while not stop.is_set():
        answered.append(await service.ask())
    return answered


def restart(directory: Path) -> int:
    """Replace the workers of the service there; the exit code."""
    return subprocess.run(  # noqa: S603 - our own command
        [*PLUGIN, "restart"],
        cwd=directory,
        env=surroundings(),
        stdout=subprocess.DEVNULL,
        check=False,
    ).returncode


async def run(given: argparse.Namespace, directory: Path) -> dict[str, Any]:
    """Restart under streams; what became of them."""
    pieces = int(given.seconds / 0.1)
    async with streaming(directory, "--workers", str(given.workers), pieces=pieces) as service:
        stop, took, seen = asyncio.Event(), list[float](), set[int]()
        callers = [asyncio.create_task(asking(service, stop)) for _ in range(given.streams)]
        await asyncio.sleep(1)
        refused = 0
        for _ in range(given.rounds):
            seen |= set(children(service.running.process.pid))
            began = time.monotonic()
            refused += await asyncio.to_thread(restart, directory) != 0
            took.append(time.monotonic() - began)
        stop.set()
        answers = list(itertools.chain(*await asyncio.gather(*callers)))
        seen |= set(children(service.running.process.pid))
    whole = sum(map(service.is_whole, answers))
    return {
        "rounds": given.rounds,
        "refused": refused,
        "live_streams": given.streams,
        "workers": given.workers,
        "processes": len(seen),
        "streams": len(answers),
        "whole": whole,
        "dropped": len(answers) - whole,
        "round_seconds": round(statistics.median(took), 2),
    }


def main() -> None:
    """Measure, print, and fail where a stream was dropped."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--streams", type=int, default=100)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=5.0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        report = asyncio.run(run(given, Path(name)))
    print(orjson.dumps(report, option=orjson.OPT_INDENT_2).decode())
    if report["dropped"] or report["refused"]:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
