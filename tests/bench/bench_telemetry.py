"""What a request pays for being measured and remembered; processor time, in microseconds."""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from plugin.messages import AnsweredBy
from plugin.telemetry.metrics import Metrics
from plugin.telemetry.prometheus import exposed
from plugin.telemetry.record import RequestRecord
from plugin.telemetry.rejections import Decisions
from plugin.trail import Trail, current

OPERATION = RequestRecord("req_1", "GET", path="/todos", status=200, ms=1.2, caller="key_1")
CALL = replace(
    OPERATION,
    path="/v1/chat/completions",
    door="gpt",
    operation="chat",
    model="small",
    answered_by=AnsweredBy("small", "far"),
    tokens_in=7,
    tokens_out=3,
    first_ms=0.9,
)


def cost(of: Callable[[], Any], times: int = 100_000) -> float:
    """Microseconds each, the best of five."""
    best = float("inf")
    for _ in range(5):
        started = time.process_time()
        for _ in range(times):
            of()
        best = min(best, (time.process_time() - started) / times * 1e6)
    return best


def trail() -> None:
    """A request begins and ends."""
    before = current.set(Trail("req_1"))
    current.reset(before)


def main() -> None:
    with TemporaryDirectory() as place:
        metrics = Metrics(Path(place) / "metrics", {"small"}, set())
        decisions = Decisions(Path(place) / "decisions", time.time)
        print(f"a trail                    {cost(trail):6.2f} us")
        print(f"a request of an operation  {cost(lambda: metrics.record(OPERATION)):6.2f} us")
        print(f"a call of a model          {cost(lambda: metrics.record(CALL)):6.2f} us")
        print(f"a refusal                  {cost(lambda: decisions.add(OPERATION, [])):6.2f} us")
        for routes in (10, 1_000):
            for number in range(routes):
                metrics.record(replace(OPERATION, path=f"/operation/{number}"))
            told = cost(metrics.tend, 20)
            page = cost(lambda: exposed(metrics.gathered(), ""), 5)
            print(f"{routes} routes: each second {told / 1e3:.2f} ms, a scrape {page / 1e3:.1f} ms")
        metrics.close()


if __name__ == "__main__":
    main()
