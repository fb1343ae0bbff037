"""An upstream fails altogether for a while: how fast callers are told, and how soon it is back.

`python -m tests.bench.chaos_upstream`

It answers with errors, then takes no connection, then never answers; each on a service of its own
(one worker), asked at a steady rate. Exit code 1 when a window lets more than one call through,
when it is not back within one, or when retries are more than a tenth of the calls.
"""

import argparse
import asyncio
import math
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from plugin.outbound.breaker import Patience
from tests.bench.promises import Promises
from tests.journeys.failing_upstream import How, Trial, trial

WAYS: tuple[How, ...] = ("errors", "refused", "hanging")
FAST_MS = 5.0
_RETRIES = 0.1
_SLACK = 1.0
"""Seconds within which a call comes for certain, and is answered, at the rate that is asked."""


def windows(found: Trial) -> Iterator[tuple[float, float]]:
    """Each rest before a probe: how long it should have been, and how long it was."""
    rest = Patience().rest
    begin = found.opened
    for probe in found.probes:
        yield rest, probe.sent - begin
        begin, rest = probe.answered, min(2 * rest, Patience().longest)


def tell(promises: Promises, how: str, found: Trial) -> None:
    """Print it."""
    kinds = dict(Counter(call.kind for call in found.calls))
    print(f"{how}, for {found.healed - found.failing:.0f} s: {len(found.calls)} calls {kinds}")
    promises.tell(f"open after {found.opened - found.failing:.2f} s")
    away, told = found.turned_away, found.log_ms
    promises.tell(
        "turned away by the service's own clock, ms: "
        f"p50 {_at(told, 0.5):.2f}, p99 {_p99(told):.2f}"
    )
    promises.check(
        "turned away, ms at p99",
        *(f"{_p99(away):.1f} (p50 {_at(away, 0.5):.1f})", f"under {FAST_MS:.0f}"),
        kept=_p99(away) < FAST_MS,
    )
    rests = list(windows(found))
    promises.check(
        "seconds before each probe",
        ", ".join(f"{was:.1f}" for _, was in rests),
        "one a window: " + ", ".join(f"{wanted:.0f}" for wanted, _ in rests),
        kept=all(abs(was - wanted) <= _SLACK for wanted, was in rests),
    )
    longest = rests[-1][0] if rests else math.inf
    promises.check(
        "back after it healed",
        *(f"{found.back_after:.2f} s", f"within a window of {longest:.0f} s"),
        kept=found.back_after <= longest + _SLACK,
    )
    for_good = "no call failed after that" if found.back_for_good else "a call failed after that"
    promises.check("back for good", for_good, "none fails", kept=found.back_for_good)
    share = found.retries / len(found.calls)
    promises.check(
        "retries",
        *(f"{found.retries} of {len(found.calls)} calls, {100 * share:.1f} %", "at most 10 %"),
        kept=share <= _RETRIES,
    )


def _p99(values: Sequence[float]) -> float:
    return _at(values, 0.99)


def _at(values: Sequence[float], share: float) -> float:
    return sorted(values)[math.ceil(len(values) * share) - 1] if values else math.nan


def main() -> None:
    """All ways to fail, in full size unless told otherwise."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("ways", nargs="*", default=list(WAYS), help=", ".join(WAYS))
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--rate", type=float, default=40, help="calls a second")
    parser.add_argument("--timeout", type=float, default=2, help="of the upstream, in seconds")
    given = parser.parse_args()
    promises = Promises()
    for how in given.ways:
        with tempfile.TemporaryDirectory() as name:
            asked = trial(Path(name), how, given.seconds, rate=given.rate, patience=given.timeout)
            found = asyncio.run(asked)
        tell(promises, how, found)
    promises.end()


if __name__ == "__main__":
    main()
