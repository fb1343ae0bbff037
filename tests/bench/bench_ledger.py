"""What a call costs in the journal, and how fast journals are brought into the ledger."""

import os
import random
import resource
import tempfile
import time
from pathlib import Path

from plugin.ledger.entries import Call, Outcome
from plugin.ledger.journal import Journal
from plugin.ledger.verify import verify
from plugin.ledger.writer import LedgerWriter
from plugin.storage import migrate
from plugin.storage.database import open_blocking

CALLS = 100_000
KEYS, MODELS = 50, ("smollm2-135m-instruct", "all-minilm-l6-v2", None)


def main() -> None:
    """Write calls as a worker does, drain them as the writer does, check them."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        url = f"sqlite:///{directory / 'plugin.db'}"
        migrate.prepare(directory, url)
        _write(directory)
        _drain(directory, url)
        database = open_blocking(url)
        began = time.process_time()
        verdict = verify(database)
        took = time.process_time() - began
        assert (verdict.rows, verdict.faults) == (CALLS, [])
        print(f"verify: {CALLS / took:,.0f} rows/s of CPU")


def _write(directory: Path) -> None:
    dice = random.Random(1)  # noqa: S311 - the same each time
    calls = [
        Call(
            int(time.time() * 1_000_000),
            "req_" + dice.randbytes(12).hex(),
            f"key_{dice.randrange(KEYS):012}",
            "a key of somebody",
            "gpt",
            "/v1/chat/completions",
            dice.choice(MODELS),
            1_000,
        )
        for _ in range(CALLS)
    ]
    outcome = Outcome(120, 340, 567, 200, 12_345, "streamed", "smollm2-135m-instruct")
    with Journal(directory / "journal", time.time) as journal:
        began, cpu = time.perf_counter(), time.process_time()
        for call in calls:
            journal.settled(journal.opened(call), call, outcome)
        took, cpu = time.perf_counter() - began, time.process_time() - cpu
        size = sum(path.stat().st_size for path in (directory / "journal").iterdir())
    each = 1_000_000 / CALLS
    print(
        f"opened + settled: {cpu * each:.2f} us of CPU, {took * each:.2f} us, {size // CALLS} bytes"
    )


def _drain(directory: Path, url: str) -> None:
    with LedgerWriter(directory / "journal", url, time.time) as writer:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        began, cpu = time.perf_counter(), time.process_time()
        assert writer.drain()
        took, cpu = time.perf_counter() - began, time.process_time() - cpu
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        print(
            f"drained: {CALLS / took:,.0f} rows/s, {CALLS / cpu:,.0f} rows/s of CPU, "
            f"{grown / 1024:.1f} MiB more memory, {os.getloadavg()[0]:.1f} load"
        )
        began = time.process_time()
        for _ in range(1_000):
            writer.drain()
        print(f"a look at nothing: {(time.process_time() - began) * 1_000:.0f} us of CPU")


if __name__ == "__main__":
    main()
