"""All workers replaced one by one, again and again, under live streams: how many are dropped."""

import argparse
import asyncio
import itertools
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from tests.bench.promises import Promises
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


async def run(promises: Promises, given: argparse.Namespace, directory: Path) -> None:
    """Restart under streams, and tell what became of them."""
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
    print(
        f"{given.rounds} restarts of {given.workers} workers one by one, {given.streams} live "
        f"streams of {given.seconds:.0f} s:"
    )
    promises.tell(f"{statistics.median(took):.2f} s a round (median)")
    fresh = (given.rounds + 1) * given.workers
    promises.check("processes", len(seen), f"at least {fresh}", kept=len(seen) >= fresh)
    promises.none("restarts that were refused", refused)
    promises.none(f"streams dropped of {len(answers)}", len(answers) - whole)


def main() -> None:
    """In full size unless told otherwise; fails where a stream was dropped."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--streams", type=int, default=100)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=5.0)
    given = parser.parse_args()
    promises = Promises()
    with tempfile.TemporaryDirectory() as name:
        asyncio.run(run(promises, given, Path(name)))
    promises.end()


if __name__ == "__main__":
    main()
