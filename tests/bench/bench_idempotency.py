"""What an idempotency key costs: a call without one, one that is carried out, one replayed."""

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from plugin.api.idempotent import app_of
from plugin.api.route_table import Entry
from plugin.idempotency.keys import Claim, Idempotency
from plugin.idempotency.store import Answer, Name
from plugin.operations import Access
from plugin.storage.database import open_blocking
from plugin.storage.migrate import prepare
from tests.pools.threads import some_threads

ANSWER = Answer(200, ((b"content-type", b"application/json"),), b"x" * 500)
HEADERS = [
    (name.encode(), b"some value") for name in ("host", "user-agent", "accept", "connection")
]
HEADERS += [(b"authorization", b"Bearer k"), (b"content-type", b"a"), (b"content-length", b"2")]


async def _nothing(*_: Any) -> None:
    """An application that answers nobody."""


def without_a_key() -> None:
    """The look for the header."""
    entry: Any = Entry(None, _nothing, Access("a", "a"))  # type: ignore[arg-type]
    for method in ("GET", "POST"):
        scope = {"method": method, "headers": HEADERS}
        begun, rounds = time.process_time(), 300_000
        for _ in range(rounds):
            app_of(entry, scope)
        print(f"{method} without a key: {(time.process_time() - begun) / rounds * 1e6:.2f} us")


async def measure(what: str, work: Callable[[int], Awaitable[None]], rounds: int) -> None:
    """Time and CPU of a call, alone and 48 at once."""
    for at_once in (1, 48):
        begun, cpu, number = time.perf_counter(), time.process_time(), iter(range(rounds))

        async def some(number: Any = number, at_once: int = at_once) -> None:
            for one in number:
                await work(one * 100 + at_once)

        await asyncio.gather(*(some() for _ in range(at_once)))
        wall, cpu = time.perf_counter() - begun, time.process_time() - cpu
        print(
            f"{what}, {at_once} at once: {wall / rounds * 1e6:.0f} us, CPU {cpu / rounds * 1e6:.0f}"
        )


async def with_a_key(keys: Idempotency) -> None:
    """Claiming and keeping, then the stored answer."""

    async def new(number: int) -> None:
        found = await keys.claim(Name("key_a", str(number)), b"f" * 32)
        assert isinstance(found, Claim)
        await found.keep(ANSWER)

    async def again(_number: int) -> None:
        assert await keys.claim(Name("key_a", "1"), b"f" * 32) == ANSWER

    await measure("carried out", new, 5_000)
    await measure("replayed", again, 5_000)


def main() -> None:
    """Print the figures."""
    without_a_key()
    with tempfile.TemporaryDirectory() as directory:
        url = f"sqlite:///{directory}/plugin.db"
        prepare(Path(directory), url)
        engine = open_blocking(url)
        keys = Idempotency(engine, some_threads(), Path(directory) / "holders", time.time)
        asyncio.run(with_a_key(keys))
        engine.dispose()


if __name__ == "__main__":
    main()
