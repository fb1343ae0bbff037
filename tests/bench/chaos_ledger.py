"""Does the ledger add up when processes are killed while they stream, and when callers leave?

`python -m tests.bench.chaos_ledger`

A random process (the parent or a worker) is killed in every round of streamed replies; then callers
leave after a random number of events, from an upstream and from the embedded engine. Prints what
the ledger says of them; exit code 1 when it says anything else than what happened.
"""

import argparse
import asyncio
import random
import tempfile
import time
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from tests.bench.promises import Promises
from tests.clients.gpt_service import engine_state
from tests.journeys.counting_upstream import counting_upstream
from tests.journeys.ledger_kills import (
    Books,
    Streams,
    books,
    kills,
    service,
    undelivered,
    violations,
)
from tests.journeys.running import until

QUESTION = {"model": "small", "messages": [{"role": "user", "content": "Sing."}]}
NEAR = {
    "model": "smollm2-135m-instruct",
    "messages": [{"role": "user", "content": "Count from one to a hundred."}],
    "max_tokens": 48,
}
PIECES, PAUSE = 20, 0.02


def told(promises: Promises, found: Books, broken: Mapping[str, int]) -> None:
    """Print what the ledger says."""
    rows = sum(map(len, found.rows.values()))
    promises.tell(f"{rows} rows: {found.endings()}")
    for name, count in broken.items():
        promises.none(name, count)
    said = found.verified.splitlines()[0] if found.verified else "not as written"
    promises.check("plugin ledger verify", said, "whole", kept=bool(found.verified))


def killed(promises: Promises, given: argparse.Namespace) -> None:
    """Rounds of streamed replies, with a kill in each."""
    workers, rounds, streams, seed = given.workers, given.rounds, given.streams, given.seed
    print(f"{rounds} rounds of {streams} streamed replies, {workers} workers, a kill -9 in each:")
    with tempfile.TemporaryDirectory() as name, counting_upstream(PIECES, PAUSE) as far:
        directory = Path(name)
        with service(directory, workers, far.settings) as (started, key):
            asking = Streams(started.port, key, given.at_once, QUESTION)
            for number in range(rounds):
                begun, before = time.monotonic(), len(asking.tries)
                victim = asyncio.run(kills(started, asking, streams, f"r{number}", seed + number))
                tries = asking.tries[before:]
                cut = sum(one.status == 200 and not one.done for one in tries)
                took = time.monotonic() - begun
                promises.tell(
                    f"round {number + 1}: {victim} killed, {len(tries)} tries, {cut} cut off, "
                    f"{sum(one.done for one in tries)} answered, {took:.1f} s"
                )
        found = books(directory)
    told(promises, found, violations(found, asking.tries))


def left(promises: Promises, given: argparse.Namespace) -> None:
    """Callers of an upstream who leave."""
    callers = given.leaving
    print(f"{callers} callers of an upstream leave after 1 to {PIECES} events:")
    chance = random.Random(given.seed)  # noqa: S311 - no secret
    leaving = [chance.randint(1, PIECES) for _ in range(callers)]
    with tempfile.TemporaryDirectory() as name, counting_upstream(PIECES, PAUSE) as far:
        directory = Path(name)
        with service(directory, given.workers, far.settings) as (started, key):
            asking = Streams(started.port, key, given.at_once, QUESTION)
            asyncio.run(asking.left(leaving, "left"))
        most = defaultdict(int, far.written())
        found = books(directory)
    _told_of_leaving(promises, found, asking, most)


def left_near(promises: Promises, given: argparse.Namespace) -> None:
    """Callers of the embedded engine who leave."""
    callers = given.leaving_near
    print(f"{callers} callers of the embedded engine leave after 1 to 20 events:")
    chance = random.Random(given.seed)  # noqa: S311 - no secret
    leaving = [chance.randint(1, 20) for _ in range(callers)]
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        with service(directory, given.workers, {"PLUGIN_ENGINE": "embedded"}) as (started, key):
            until(lambda: engine_state(directory) == "ready")
            asking = Streams(started.port, key, 8, NEAR)
            asyncio.run(asking.left(leaving, "left"))
        most = defaultdict[str, int](lambda: 48)
        found = books(directory)
    _told_of_leaving(promises, found, asking, most)


def _told_of_leaving(
    promises: Promises, found: Books, asking: Streams, most: Mapping[str, int]
) -> None:
    seen = sum(one.tokens for one in asking.tries)
    booked = sum(row.tokens_out for rows in found.rows.values() for row in rows)
    promises.tell(f"callers saw {seen} pieces of text, the ledger has {booked} tokens out")
    broken = violations(found, asking.tries)
    broken["callers without a row"] = len(asking.tries) - len(found.rows)
    broken["rows with other tokens than were delivered"] = undelivered(found, asking.tries, most)
    told(promises, found, broken)


def main() -> None:
    """All of it, in full size unless told otherwise."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--streams", type=int, default=1000)
    parser.add_argument("--at-once", type=int, default=64)
    parser.add_argument("--leaving", type=int, default=1000)
    parser.add_argument("--leaving-near", type=int, default=100, help="0: without the engine")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    given = parser.parse_args()
    print(f"seed {given.seed}")
    promises = Promises()
    killed(promises, given)
    left(promises, given)
    if given.leaving_near:
        left_near(promises, given)
    promises.end()


if __name__ == "__main__":
    main()
