"""Does the service grow while it works? Many requests, then many streams, on one worker.

`python -m tests.bench.soak`

Memory and file handles of the worker, and of its parent that writes the ledger, are read after each
part. A warm-up fills what is bounded, such as the pages of the database that are kept; the slope
is that of the line through the second half of what follows. Memory is what a process alone has
written; pages of programs and libraries are not counted, as they are its own or shared just as
other processes that have them begin and end. Smaller counts than these tell little: a tenth of a
mebibyte in 5,000 requests is already two for 100,000. Exit code 1 when memory grows by more than a
mebibyte for 100,000 requests or streams, or handles stay open.
"""

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from tests.journeys.streaming import Streaming, children, streaming

PARTS = 20
_MIB = 1024 * 1024
_MOST = 1.0
_STREAM = 20
"""A stream warms up as much as so many requests."""


class Size(NamedTuple):
    """What a process holds: bytes of its own, and open files."""

    memory: int
    handles: int


Sizes = dict[str, list[Size]]
"""By the name of a process, part by part."""


def size_of(pid: int) -> Size:
    """What it holds now."""
    fields = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    own = sum(int(line.split()[1]) for line in fields if line.startswith(("Anonymous:", "Swap:")))
    return Size(own * 1024, sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir()))


def slope(sizes: Sequence[Size], each: int) -> float:
    """Mebibytes for 100,000 of what was done `each` times between two sizes."""
    later = [size.memory for size in sizes[len(sizes) // 2 :]]
    line = statistics.linear_regression(range(len(later)), later)
    return line.slope / each * 100_000 / _MIB


async def requests(port: int, key: str, count: int, clients: int, reading: int = 20) -> None:
    """So many small requests: models' names, but each `reading`th asks the database for todos."""
    left = count

    async def client() -> None:
        nonlocal left
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while left > 0:
            left -= 1
            path = "/todos" if left % reading == 0 else "/v1/models"
            head = f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n\r\n"
            writer.write(head.encode())
            answer = (await reader.readuntil(b"\r\n\r\n")).lower()
            if not answer.startswith(b"http/1.1 200"):
                raise SystemExit(f"a request failed: {answer!r}")
            await reader.readexactly(int(answer.split(b"content-length: ")[1].split(b"\r\n")[0]))
        writer.close()

    await asyncio.gather(*(client() for _ in range(clients)))


async def streams(service: Streaming, count: int, at_once: int) -> None:
    """So many streams, each read to its end."""
    left = count

    async def client() -> None:
        nonlocal left
        while left > 0:
            left -= 1
            if not service.is_whole(await service.ask()):
                raise SystemExit("a stream was not whole")

    await asyncio.gather(*(client() for _ in range(at_once)))


async def soak(given: argparse.Namespace) -> bool:
    """Print what it holds, part by part; whether it stays as it is."""
    settings = {"PLUGIN_LOG_LEVEL": "warning"}
    with tempfile.TemporaryDirectory() as name:
        async with streaming(Path(name), pieces=5, pause=0.001, settings=settings) as service:
            parent, port = service.running.process.pid, service.running.address.port
            (worker,) = children(parent)
            pids = {"worker": worker, "parent": parent}
            await streams(service, given.warm_up // _STREAM, given.clients)
            # all at once, so that every connection to the database is opened that ever will be
            await requests(port, service.key, given.warm_up // 10, given.clients, reading=1)
            await requests(port, service.key, given.warm_up, given.clients)
            each, of_streams = given.requests // PARTS, given.streams // PARTS
            by_requests = await parts(
                pids, lambda: requests(port, service.key, each, given.clients)
            )
            by_streams = await parts(pids, lambda: streams(service, of_streams, given.clients))
    fine = tell("requests", by_requests, each)
    return tell("streams", by_streams, of_streams) and fine


async def parts(pids: Mapping[str, int], work: Callable[[], Awaitable[None]]) -> Sizes:
    """Do it again and again; what each process holds at first and after each time."""
    sizes: Sizes = {name: [] for name in pids}
    for part in range(PARTS + 1):
        if part:
            await work()
        await asyncio.sleep(1)  # what was answered is on its way to the ledger
        for name, pid in pids.items():
            sizes[name].append(size_of(pid))
    return sizes


def tell(what: str, sizes: Sizes, each: int) -> bool:
    """Print one half; whether memory grows by a mebibyte at most, and no handle stays open."""
    fine = True
    for name, found in sizes.items():
        memory = ", ".join(f"{size.memory / _MIB:.1f}" for size in found)
        handles = [size.handles for size in found]
        grown = slope(found, each)
        print(f"{each * PARTS} {what}, {name}: memory in MiB, part by part: {memory}")
        print(f"  slope {grown:.2f} MiB for 100,000   (target: {_MOST:.0f})")
        print(f"  file handles {handles[0]} before, {handles[1:]} after each part")
        fine = fine and grown <= _MOST and max(handles[-3:]) <= max(handles[1:4])
    return fine


def main() -> None:
    """All of it, in full size unless told otherwise."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--warm-up", type=int, default=100_000, help="requests before")
    parser.add_argument("--requests", type=int, default=1_000_000)
    parser.add_argument("--streams", type=int, default=20_000)
    parser.add_argument("--clients", type=int, default=32)
    given = parser.parse_args()
    begun = time.monotonic()
    fine = asyncio.run(soak(given))
    print(f"took {time.monotonic() - begun:.0f} s")
    sys.exit(0 if fine else 1)


if __name__ == "__main__":
    main()
