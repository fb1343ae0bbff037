"""Limits under full load: a rate hammered by many clients, and a budget wanted by all at once.

`python -m tests.bench.chaos_limits`

Prints how many calls passed above and below what the limit allows, whether the times to wait were
right, and how much of the budget was used.
"""

import argparse
import asyncio
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.journeys.limit_load import (
    Call,
    Load,
    most_within,
    passed,
    rate,
    statuses,
    unjust,
    wrong_waits,
)
from tests.journeys.running import new_key, plugin, running

BUDGET = 37
OK = 200


def limit(directory: Path, *arguments: str) -> None:
    """Set a limit."""
    done = plugin(directory, "limits", "set", *arguments)
    if done.returncode:
        raise SystemExit(done.stderr)


def early_and_late(calls: Sequence[Call]) -> str:
    """Refused calls against the next call that passed: nobody passed before he was told to."""
    passing = sorted(call.answered for call in calls if call.status == OK)
    errors = []
    for call in calls:
        if call.retry_after is None:
            continue
        following = next((moment for moment in passing if moment > call.answered), None)
        if following is not None:
            errors.append(following - (call.answered + call.retry_after))
    if not errors:
        return "no refusals"
    wrong = sum(abs(error) > 1 for error in errors)
    return f"{wrong} of {len(errors)} wrong by more than 1 s, worst {max(map(abs, errors)):.3f} s"


def hammer(workers: int, clients: int, seconds: float, cap: int) -> None:
    """Line 1: a limit of requests a second; the clients must be able to send more than that."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        key = new_key(directory)
        limit(directory, "requests", str(cap), "--per", "second", "--key", "*")
        limit(directory, "concurrent", "unlimited", "--key", "*")
        settings = {"PLUGIN_LOG_LEVEL": "warning"}
        with running(directory, "serve", "--workers", str(workers), settings=settings) as started:
            load = Load(started.address.port, key["key"], clients)
            calls = asyncio.run(load.for_seconds(seconds + 0.7))
    most, found = most_within(calls, 1.0), rate(calls, 1.0)
    print(f"{workers} workers, {clients} clients, {seconds:.0f} s, {cap} requests a second:")
    print(f"  calls {len(calls)} {statuses(calls)}")
    print(f"  most in any second {most}: over the limit {max(0, most - cap)}")
    print(f"  passed a second {found:.1f}: under the limit {100 * (1 - found / cap):.2f} %")
    print(f"  refused although there was room: {len(unjust(calls, cap, 1.0))}")
    print(f"  Retry-After: {early_and_late(calls)}; not as written {len(list(wrong_waits(calls)))}")


def use_up(workers: int, clients: int) -> None:
    """Line 2: a budget for a few calls, wanted by all clients at once."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        key = new_key(directory)
        limit(directory, "units", str(BUDGET * 10), "--per", "month", "--key", key["id"])
        limit(directory, "concurrent", "unlimited", "--key", "*")
        prices = json.dumps({"list_todos": {"call": 10}})
        settings = {"PLUGIN_LOG_LEVEL": "warning", "PLUGIN_PRICES": prices}
        with running(directory, "serve", "--workers", str(workers), settings=settings) as started:
            calls = asyncio.run(Load(started.address.port, key["key"], clients).at_once())
        shown = plugin(directory, "limits", "show", "--key", key["id"]).stdout
    print(f"a budget for {BUDGET} calls, {clients} at once, {workers} workers:")
    print(f"  passed {passed(calls)} {statuses(calls)}")
    print(shown)


def main() -> None:
    """Both, in full size unless told otherwise."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--rate", type=int, default=100)
    parser.add_argument("--at-once", type=int, default=1000)
    given = parser.parse_args()
    hammer(given.workers, given.clients, given.seconds, given.rate)
    use_up(given.workers, given.at_once)


if __name__ == "__main__":
    main()
