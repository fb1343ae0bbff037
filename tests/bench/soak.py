"""Does the service grow while it works? Many requests, then many streams, on one worker.

`python -m tests.bench.soak`

The worker's memory and file handles are read after each part; the slope is that of the line through
those of the second half: in the first one caches fill, such as the 16 MiB of the database. Exit
code 1 when memory grows by more than a mebibyte for 100,000 requests, or handles stay open.
"""

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tests.journeys.streaming import Streaming, children, streaming

PARTS = 20
_MIB = 1024 * 1024


class Size(NamedTuple):
    """What a process holds: bytes of its own, and open files."""

    memory: int
    handles: int


def size_of(pid: int) -> Size:
    """What it holds now; memory that it shares with others is not counted."""
    fields = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    own = sum(int(line.split()[1]) for line in fields if line.startswith("Private_"))
    return Size(own * 1024, sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir()))


def slope(sizes: Sequence[Size], each: int) -> float:
    """Mebibytes for 100,000 of what was done `each` times between two sizes."""
    later = [size.memory for size in sizes[len(sizes) // 2 :]]
    line = statistics.linear_regression(range(len(later)), later)
    return line.slope / each * 100_000 / _MIB


async def requests(port: int, key: str, count: int, clients: int) -> None:
    """So many small requests: most read a model's name, some write to the database."""
    left = count

    async def client() -> None:
        nonlocal left
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while left > 0:
            left -= 1
            path = "/todos" if left % 20 == 0 else "/v1/models"
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


async def soak(total: int, of_streams: int, clients: int) -> bool:
    """Print what it holds, part by part; whether it stays as it is."""
    settings = {"PLUGIN_LOG_LEVEL": "warning"}
    with tempfile.TemporaryDirectory() as name:
        async with streaming(Path(name), pieces=5, pause=0.001, settings=settings) as service:
            (pid,) = children(service.running.process.pid)
            port = service.running.address.port
            sizes = [size_of(pid)]
            for _ in range(PARTS):
                await requests(port, service.key, total // PARTS, clients)
                await asyncio.sleep(1)  # what was answered is on its way to the ledger
                sizes.append(size_of(pid))
            by_streams = [sizes[-1]]
            for _ in range(PARTS):
                await streams(service, of_streams // PARTS, clients)
                await asyncio.sleep(1)
                by_streams.append(size_of(pid))
    fine = tell("requests", sizes, total // PARTS, 1.0)
    return tell("streams", by_streams, of_streams // PARTS, None) and fine


def tell(what: str, sizes: Sequence[Size], each: int, most: float | None) -> bool:
    """Print one half; whether memory grows by `most` MiB at most, and no handle stays open."""
    memory = ", ".join(f"{size.memory / _MIB:.1f}" for size in sizes)
    handles = [size.handles for size in sizes]
    grown = slope(sizes, each)
    print(f"{each * (len(sizes) - 1)} {what}: memory in MiB, part by part: {memory}")
    target = "" if most is None else f"   (target: {most:.0f})"
    print(f"  slope {grown:.2f} MiB for 100,000{target}")
    print(f"  file handles {handles[0]} before, {handles[1:]} after each part")
    flat = max(handles[-3:]) <= max(handles[1:4])
    return flat and (most is None or grown <= most)


def main() -> None:
    """All of it, in full size unless told otherwise."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=1_000_000)
    parser.add_argument("--streams", type=int, default=20_000)
    parser.add_argument("--clients", type=int, default=32)
    given = parser.parse_args()
    begun = time.monotonic()
    fine = asyncio.run(soak(given.requests, given.streams, given.clients))
    print(f"took {time.monotonic() - begun:.0f} s")
    sys.exit(0 if fine else 1)


if __name__ == "__main__":
    main()
