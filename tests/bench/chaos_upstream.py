"""An upstream fails altogether for a while: how fast callers are told, and how soon it is back.

`python -m tests.bench.chaos_upstream`

It answers with errors, then takes no connection, then never answers; each on a service of its own
(one worker), asked at a steady rate. Exit code 1 when a window lets more than one call through,
when it is not back within one, or when retries are more than a tenth of the calls.
"""

import argparse
import asyncio
import math
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from plugin.outbound.breaker import Patience
from tests.journeys.failing_upstream import How, Trial, trial

WAYS: tuple[How, ...] = ("errors", "refused", "hanging")
FAST_MS = 5.0
_SLACK = 1.0
"""Seconds within which a call comes for certain, and is answered, at the rate that is asked."""


def windows(found: Trial) -> Iterator[tuple[float, float]]:
    """Each rest before a probe: how long it should have been, and how long it was."""
    rest = Patience().rest
    begin = found.opened
    for probe in found.probes:
        yield rest, probe.sent - begin
        begin, rest = probe.answered, min(2 * rest, Patience().longest)


def violations(found: Trial) -> Iterator[str]:
    """What must not be, in words."""
    rests = list(windows(found))
    for wanted, was in rests:
        if not wanted - _SLACK <= was <= wanted + _SLACK:
            yield f"a probe after {was:.1f} s instead of {wanted:.0f}"
    longest = rests[-1][0] if rests else math.inf
    if found.back_after > longest + _SLACK:
        yield f"back {found.back_after:.1f} s after it healed, the window is {longest:.0f} s"
    if not found.back_for_good:
        yield "a call failed after it was back"
    if found.retries > len(found.calls) / 10:
        yield f"{found.retries} retries of {len(found.calls)} calls"
    if _p99(found.turned_away) > FAST_MS:
        yield f"turned away in {_p99(found.turned_away):.1f} ms at p99"


def tell(how: str, found: Trial) -> bool:
    """Print it; whether all is well."""
    kinds = dict(Counter(call.kind for call in found.calls))
    print(f"{how}, for {found.healed - found.failing:.0f} s: {len(found.calls)} calls {kinds}")
    print(f"  open after {found.opened - found.failing:.2f} s")
    away, told = found.turned_away, found.log_ms
    print(
        f"  turned away, ms: p50 {_at(away, 0.5):.1f}, p99 {_p99(away):.1f}; by the service's own "
        f"clock p50 {_at(told, 0.5):.2f}, p99 {_p99(told):.2f}   (target: {FAST_MS:.0f} at p99)"
    )
    rests = ", ".join(f"{was:.1f} ({wanted:.0f})" for wanted, was in windows(found))
    print(f"  a probe after {rests} s   (in brackets: the window)")
    print(f"  back {found.back_after:.2f} s after it healed")
    share = 100 * found.retries / len(found.calls)
    print(f"  asked {len(found.asked)} times, {found.retries} retries: {share:.1f} % (target: 10)")
    wrong = list(violations(found))
    for one in wrong:
        print(f"  VIOLATION: {one}")
    return not wrong


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
    fine = True
    for how in given.ways:
        with tempfile.TemporaryDirectory() as name:
            asked = trial(Path(name), how, given.seconds, rate=given.rate, patience=given.timeout)
            found = asyncio.run(asked)
        fine = tell(how, found) and fine
    sys.exit(0 if fine else 1)


if __name__ == "__main__":
    main()
