"""What the whole gate costs: against the same FastAPI route bare, and against raw uvicorn.

Ours has everything on: keys from the database, scopes, four limits, ledger, access log, figures.
It is measured with 10 keys and operations, with 100,000 keys and with 1,000 operations; each
request takes a random one of them, after each was met once. All services run at once and are
loaded in turns by `wrk`; the medians of the ratios of the rounds are what counts, those of CPU on a
machine that does other work.
"""

import argparse
import hashlib
import os
import shutil
import statistics
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

import orjson

from plugin.ledger.opening import open_writer
from tests.bench import serving
from tests.bench.bench_gateway import BODY, Kept, Note
from tests.bench.serving import Service

RAW, FASTAPI, OURS = "raw", "fastapi", "ours"
MANY_KEYS, MANY_OPERATIONS = "100,000 keys", "1,000 operations"
SIZES = {OURS: (10, 10), MANY_KEYS: (100_000, 10), MANY_OPERATIONS: (10, 1_000)}
"""How many keys, and how many operations."""

TARGETS = (
    (OURS, FASTAPI, ">= 0.9"),
    (OURS, RAW, ">= 0.22"),
    (OURS, MANY_KEYS, "<= 1.1"),
    (OURS, MANY_OPERATIONS, "<= 1.1"),
)
ANSWER = orjson.dumps({**orjson.loads(BODY), "length": 16})


async def raw(scope: Any, receive: Any, send: Any) -> None:
    """As little as uvicorn lets an application do."""
    if scope["type"] != "http":
        return
    while (await receive()).get("more_body"):
        pass
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(ANSWER))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": ANSWER})


def bare_fastapi() -> Any:
    """The same route as FastAPI's documentation writes it, open to everybody."""
    from fastapi import FastAPI

    app = FastAPI()

    @app.post("/bench/notes/{number}")
    async def note(number: int, note: Note) -> Kept:
        return Kept(text=note.text, urgent=note.urgent, tags=note.tags, length=number)

    return app


def serve(which: str, port: int, directory: Path) -> None:
    """What a child process does."""
    if which == RAW:
        serving.serve(raw, port)
    elif which == FASTAPI:
        serving.serve(bare_fastapi(), port)
    else:
        os.environ["BENCH_OPERATIONS"] = str(SIZES[which][1])
        from plugin.app import create_app
        from plugin.server.http.write_coalescing import JoinedWrites
        from plugin.server.worker_app import spare_the_collector
        from plugin.settings import Settings

        given = Settings(
            data_dir=directory, operations=("tests.bench.gate_operations",), engine="none"
        )
        app = create_app(given, ledger_beside=True)
        spare_the_collector()
        serving.serve(app, port, JoinedWrites)


def prepare(directory: Path, keys: int) -> list[str]:
    """A data directory with keys and limits that hold nobody up; gives the keys."""
    from sqlalchemy import insert

    from plugin.auth.keys import api_keys, make_key
    from plugin.gate.limits import Limit
    from plugin.gate.limits_store import LimitStore
    from plugin.storage.database import open_blocking
    from plugin.storage.migrate import prepare as migrate

    url = f"sqlite:///{directory / 'plugin.db'}"
    migrate(directory, url)
    engine = open_blocking(url)
    made = [make_key() for _ in range(keys)]
    rows = [
        {
            "hash": hashlib.sha256(key.encode()).digest(),
            "id": f"key_{number:012}",
            "name": "bench",
            "hint": key[:8],
            "scopes": "*",
            "created_at": int(time.time()),
        }
        for number, key in enumerate(made)
    ]
    with engine.begin() as connection:
        connection.execute(insert(api_keys), rows)
    store = LimitStore(engine)
    for limit in (
        Limit("key", "*", "requests", "minute", 100_000_000),
        Limit("key", "*", "requests", "day", 100_000_000),
        Limit("operation", "*", "requests", "second", 10_000_000),
    ):
        store.set(limit)
    engine.dispose()
    return made


def script(directory: Path, keys: list[str], operations: int, begin: int | None = None) -> Path:
    """What wrk sends: a random key and operation each time, or all in turn from `begin` on."""
    (directory / "keys.txt").write_text("\n".join(keys))
    made = directory / "requests.lua"
    key, operation = "math.random(#keys)", f"math.random(0, {operations - 1})"
    if begin is not None:
        key, operation = "at % #keys + 1", f"at % {operations}"
    made.write_text(
        f"local at = {begin or 0}\n"
        f"local keys = {{}}\nfor line in io.lines('{directory / 'keys.txt'}') do "
        "keys[#keys + 1] = 'Bearer ' .. line end\n"
        "wrk.method = 'POST'\nwrk.headers['Content-Type'] = 'application/json'\n"
        f"wrk.body = [[{BODY.decode()}]]\n"
        f"request = function()\n  at = at + 1\n  wrk.headers['Authorization'] = keys[{key}]\n"
        f"  return wrk.format(nil, '/bench/notes/' .. {operation})\nend\n"
        f"{serving.DONE}"
    )
    return made


class Loaded:
    """A service, and what it is sent."""

    def __init__(self, which: str, place: Path) -> None:
        self.which = which
        directory = place / which.replace(" ", "-").replace(",", "")
        directory.mkdir()
        keys, operations = SIZES.get(which, (10, 10))
        made = prepare(directory, keys) if which in SIZES else ["nobody"] * keys
        self.first = {"Authorization": f"Bearer {made[0]}", "Content-Type": "application/json"}
        self._directory, self._keys, self._operations = directory, made, operations
        self.script = script(directory, made, operations)
        self.service = Service(__file__, which, directory)
        # As under `plugin serve`: the parent, that is we, writes the ledger.
        url = f"sqlite:///{directory / 'plugin.db'}"
        self.writer = open_writer(directory, url) if which in SIZES else None

    def warm(self) -> None:
        """Let it read its keys and meet each operation; tells where the first call took long."""
        begun = time.perf_counter()
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.service.port}/bench/notes/0", BODY, self.first
        )
        urllib.request.urlopen(request, timeout=60).close()  # noqa: S310 - the same
        took = time.perf_counter() - begun
        if took > 0.5:
            print(f"the first call with {self.which} took {took:.1f} s")
        met, cost = 0, 0.0
        while met < max(len(self._keys), 20 * self._operations):
            self.script = script(self._directory, self._keys, self._operations, met)
            rate, cost, _ = self.measure(5)
            met += int(rate * 5)
        self.script = script(self._directory, self._keys, self._operations)
        if len(self._keys) > 1_000:
            print(f"{self.which}: {cost:.1f} us of CPU for the first call of each key")

    def measure(self, seconds: float) -> tuple[float, float, float]:
        """Requests a second, and microseconds of the service's and of our CPU for each."""
        before, ours = self.service.cpu(), time.process_time()
        count, took = serving.wrk(f"http://127.0.0.1:{self.service.port}", seconds, self.script)
        if self.writer is not None:
            self.writer.flush(30)  # what is left would be written while another is measured
        spent, ours = self.service.cpu() - before, time.process_time() - ours
        return count / took, spent / count * 1e6, ours / count * 1e6

    def stop(self) -> None:
        """End it."""
        self.service.stop()
        if self.writer is not None:
            self.writer.close()


def compare(rounds: int, seconds: float) -> None:
    """Interleave, and print what came out."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        services: list[Loaded] = []
        try:
            for which in (RAW, FASTAPI, *SIZES):
                services.append(Loaded(which, place))
                services[-1].warm()
            found = [{one.which: one.measure(seconds) for one in services} for _ in range(rounds)]
        finally:
            for one in services:
                one.stop()
    for which in found[0]:
        rates = [turn[which][0] for turn in found]
        spent = [turn[which][1] for turn in found]
        beside = [turn[which][2] for turn in found]
        print(
            f"{which:18}{statistics.median(rates):8.0f} requests/s"
            f"{statistics.median(spent):8.1f} us of CPU each"
            f"{statistics.median(beside):8.1f} us beside it, for the ledger"
        )
    for which, other, target in TARGETS:
        rates = [turn[which][0] / turn[other][0] for turn in found]
        spent = [turn[other][1] / turn[which][1] for turn in found]
        print(
            f"{which} / {other}: {statistics.median(rates):.2f} of its requests/s, "
            f"{statistics.median(spent):.2f} by CPU   (target: {target}; rounds: "
            f"{', '.join(f'{ratio:.2f}' for ratio in spent)})"
        )


def main() -> None:
    """Parent or child, by the arguments."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--directory", type=Path, default=Path(), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        serve(given.child, given.port, given.directory)
    elif shutil.which("wrk"):
        compare(given.rounds, given.seconds)
    else:
        print("this bench needs wrk")


if __name__ == "__main__":
    main()
