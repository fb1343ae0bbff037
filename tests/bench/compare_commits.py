"""CPU a call of two trees of this project, taken in alternation: the ratio and its interval.

`python -m tests.bench.compare_commits OLD NEW [--pairs 12]`: OLD and NEW are checkouts. Both serve
at once, each in processes of its own, and take turns at the same calls. A ratio is old CPU to new
CPU: over 1, the new tree is cheaper. The interval covers the median with 95 % by its ranks.
"""

import argparse
import contextlib
import http.client
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.clients.stand_in import settings_for, stand_in
from tests.journeys.running import Running, bearer, new_key, running, until

_TICK = os.sysconf("SC_CLK_TCK")
_TIMES = slice(11, 13)
_Z = 1.96


@dataclass(frozen=True)
class Work:
    """What is called, how often in a turn, and under which settings."""

    name: str
    method: str
    path: str
    body: Mapping[str, object] | None
    calls: int
    settings: Mapping[str, str]


CHAT = {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 4}


def works(upstream: str) -> list[Work]:
    """Gate alone, gate and database, an upstream, the embedded engine."""
    quiet = {"PLUGIN_LOG_LEVEL": "warning"}
    asked = {"model": "gpt-4o-mini", **CHAT}
    embedded = {"model": "gpt-4", **CHAT}
    chat = "/v1/chat/completions"
    return [
        Work("gate", "GET", "/v1/models", None, 1500, quiet),
        Work("gate and database", "GET", "/todos", None, 800, quiet),
        Work("upstream", "POST", chat, asked, 600, {**quiet, **settings_for(upstream)}),
        Work("engine", "POST", chat, embedded, 40, {**quiet, "PLUGIN_ENGINE": "embedded"}),
    ]


def cpu_of_all(pid: int) -> float:
    """Seconds of CPU that a process and its living descendants have spent."""
    stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    spent = sum(map(int, stat[_TIMES])) / _TICK
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        spent += sum(cpu_of_all(int(child)) for child in children.read_text().split())
    return spent


@contextlib.contextmanager
def serving(tree: Path, work: Work, directory: Path) -> Iterator[Callable[[], float]]:
    """Serve `tree`; what is yielded makes the calls of a turn and returns its CPU a call."""
    settings = {**work.settings, "PYTHONPATH": str(tree)}
    with running(directory, "serve", settings=settings) as service:
        key = bearer(new_key(directory))
        until(lambda: _answered(service, work, key))

        def turn() -> float:
            before = cpu_of_all(service.process.pid)
            with contextlib.closing(service.address.connect()) as connection:
                for _ in range(work.calls):
                    _call(connection, work, key)
            return (cpu_of_all(service.process.pid) - before) / work.calls

        turn()  # warm
        yield turn


def _answered(service: Running, work: Work, key: Mapping[str, str]) -> bool:
    connection = service.address.connect()
    try:
        return _call(connection, work, key) == http.HTTPStatus.OK
    finally:
        connection.close()


def _call(connection: http.client.HTTPConnection, work: Work, key: Mapping[str, str]) -> int:
    body = None if work.body is None else json.dumps(work.body)
    connection.request(work.method, work.path, body, {**key, "Content-Type": "application/json"})
    response = connection.getresponse()
    response.read()
    return response.status


def interval(ratios: list[float]) -> tuple[float, float, float]:
    """Return the median and the ends of its 95 % interval, by ranks."""
    ranked, count = sorted(ratios), len(ratios)
    low = max(int((count - _Z * count**0.5) / 2), 0)
    return statistics.median(ranked), ranked[low], ranked[count - 1 - low]


def compare(old: Path, new: Path, work: Work, pairs: int) -> list[float]:
    """Return the ratios of `pairs` pairs of turns, each pair in the other order."""
    with tempfile.TemporaryDirectory() as place, contextlib.ExitStack() as stack:
        turns = []
        for name, tree in (("old", old), ("new", new)):
            directory = Path(place) / name
            directory.mkdir()
            turns.append(stack.enter_context(serving(tree, work, directory)))
        ratios = []
        for number in range(pairs):
            order = (0, 1) if number % 2 else (1, 0)
            spent = {which: turns[which]() for which in order}
            ratios.append(spent[0] / spent[1])
            time.sleep(0.1)
        return ratios


def main() -> None:
    """Compare, and print a line for each kind of work."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("--pairs", type=int, default=12)
    parser.add_argument("--only")
    given = parser.parse_args()
    for tree in (given.old, given.new):
        if not (tree / "plugin" / "__init__.py").exists():
            parser.error(f"{tree} is not a checkout of this project; `git worktree add` makes one")
    with stand_in() as upstream:
        for work in works(upstream):
            if given.only in {None, work.name}:
                ratios = compare(given.old.resolve(), given.new.resolve(), work, given.pairs)
                middle, low, high = interval(ratios)
                print(
                    f"{work.name}: old/new CPU a call {middle:.3f} ({low:.3f} to {high:.3f})",
                    flush=True,
                )


if __name__ == "__main__":
    main()
