"""Limits under full load: rates hammered by many clients, and a budget wanted by all at once.

`python -m tests.bench.chaos_limits`

What a limit loses is told by the service's own log, against an exact sliding window that is asked
the same calls at the same times: what nobody asked for in time counts for neither. Exit code 1
where a promise breaks.
"""

import argparse
import asyncio
import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from tests.bench.promises import Promises
from tests.journeys.limit_load import (
    Call,
    Load,
    Seen,
    exact,
    misled,
    most_within,
    pace,
    passed,
    seen,
    statuses,
    unjust,
    wrong_waits,
)
from tests.journeys.running import new_key, plugin, running

OK = 200
BUDGET = 37
PRICE = 10
_PERIODS = {"second": 1.0, "minute": 60.0}
_MOST_MISSED = 0.01


class Rate(NamedTuple):
    """A limit, and how it is hammered: by so many clients, each pausing so long, for so long."""

    workers: int
    clients: int
    seconds: float
    cap: int
    per: str = "second"
    pause: float = 0.0
    patient: bool = False

    def __str__(self) -> str:
        how = f"each asks every {self.pause * 1000:.0f} ms" if self.pause else "as fast as it goes"
        how = "each comes again when it is told to" if self.patient else how
        return (
            f"{self.workers} workers, {self.clients} clients, {self.seconds:.0f} s, "
            f"{self.cap} requests a {self.per}; {how}:"
        )


def limit(directory: Path, *arguments: str) -> None:
    """Set a limit."""
    done = plugin(directory, "limits", "set", *arguments)
    if done.returncode:
        raise SystemExit(done.stderr)


def calls_under(rate: Rate) -> tuple[Sequence[Call], Sequence[Seen]]:
    """What callers heard, and what the service saw."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        key = new_key(directory)
        limit(directory, "requests", str(rate.cap), "--per", rate.per, "--key", "*")
        limit(directory, "concurrent", "unlimited", "--key", "*")
        with running(directory, "serve", "--workers", str(rate.workers)) as started:
            load = Load(
                *(started.address.port, key["key"], rate.clients),
                pause=rate.pause,
                patient=rate.patient,
            )
            calls = asyncio.run(load.for_seconds(rate.seconds))
        return calls, seen(started.records())


def hammer(promises: Promises, rate: Rate) -> None:
    """A limit of requests in any second or minute."""
    print(rate)
    calls, by_service = calls_under(rate)
    period = _PERIODS[rate.per]
    most = most_within(calls, period)
    promises.tell(f"{len(calls)} calls: {_told(statuses(calls))}")
    promises.none(f"over the limit in any {rate.per}", max(0, most - rate.cap))
    promises.none("refused although there was room", len(unjust(calls, rate.cap, period)))
    _missed(promises, rate, by_service, len(calls))
    wrong, tried, worst = misled(calls, by_service)
    promises.check(
        "Retry-After wrong by more than 1 s",
        *(f"{wrong} of {tried} that were tried, the worst by {worst:.3f} s", "0"),
        kept=wrong == 0 and tried > 0,
    )
    promises.none("refusals without a time, or with two that differ", len([*wrong_waits(calls)]))


def _missed(promises: Promises, rate: Rate, calls: Sequence[Seen], sent: int) -> None:
    period = _PERIODS[rate.per]
    let_in = [call.came for call in calls if call.status == OK]
    if len(calls) != sent or len(let_in) < 2 * rate.cap:
        promises.check("the log", f"{len(calls)} of {sent} calls", "all, for long", kept=False)
        return
    took, least = pace(let_in, rate.cap), pace(exact(calls, rate.cap, period), rate.cap)
    promises.tell(
        f"{rate.cap} let in take {took:.3f} s; an exact window lets in as many of the same calls "
        f"in {least:.3f} s"
    )
    lost = 1 - least / took
    kept = lost <= _MOST_MISSED
    promises.check("under the limit", f"{100 * lost:.2f} %", "at most 1 %", kept=kept)


def use_up(promises: Promises, workers: int, clients: int) -> None:
    """A budget for a few calls, wanted by all clients at once."""
    print(f"a budget for {BUDGET} calls, {clients} at once, {workers} workers:")
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        key = new_key(directory)
        limit(directory, "units", str(BUDGET * PRICE), "--per", "month", "--key", key["id"])
        limit(directory, "concurrent", "unlimited", "--key", "*")
        prices = json.dumps({"list_todos": {"call": PRICE}})
        settings = {"PLUGIN_LOG_LEVEL": "warning", "PLUGIN_PRICES": prices}
        with running(directory, "serve", "--workers", str(workers), settings=settings) as started:
            calls = asyncio.run(Load(started.address.port, key["key"], clients).at_once())
        shown = plugin(directory, "limits", "show", "--key", key["id"], "--json").stdout
        used = json.loads(plugin(directory, "usage", "--json").stdout)["total"]
        verified = plugin(directory, "ledger", "verify")
    [left] = [one["left"] for one in json.loads(shown) if one["measure"] == "units"]
    promises.tell(f"{len(calls)} calls: {_told(statuses(calls))}")
    promises.check("let in", passed(calls), f"{BUDGET}", kept=passed(calls) == BUDGET)
    promises.check(
        "the ledger: calls and units",
        *(f"{used['calls']}, {used['units']}", f"{BUDGET}, {BUDGET * PRICE}"),
        kept=(used["calls"], used["units"]) == (BUDGET, BUDGET * PRICE),
    )
    promises.check("left of the budget", left, "0", kept=left == 0)
    said = verified.stdout.splitlines()[0]
    promises.check("plugin ledger verify", said, "whole", kept=verified.returncode == 0)


def _told(counts: Mapping[int, int]) -> str:
    return ", ".join(f"{count} x {status}" for status, count in sorted(counts.items()))


def main() -> None:
    """All of it, in full size unless told otherwise."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--rate", type=int, default=100, help="requests a second")
    parser.add_argument("--pause", type=float, default=0.2, help="of each client, in seconds")
    parser.add_argument("--minute", type=float, default=130, help="seconds on a minute; 0: none")
    parser.add_argument("--at-once", type=int, default=1000)
    given = parser.parse_args()
    promises = Promises()
    rate = Rate(given.workers, given.clients, given.seconds, given.rate)
    hammer(promises, rate)
    hammer(promises, rate._replace(pause=given.pause))
    hammer(promises, rate._replace(patient=True))
    if given.minute:
        minute = rate._replace(seconds=given.minute, cap=10 * given.rate, per="minute")
        hammer(promises, minute._replace(pause=given.pause))
    use_up(promises, given.workers, given.at_once)
    promises.end()


if __name__ == "__main__":
    main()
