"""What passing chat completions on to a fast upstream costs: calls a second, added time, streams.

A fake upstream (bare ASGI), `plugin serve` with everything on (keys, access log, catalog, breaker,
ledger), its one worker pinned to a core of its own where the system can, and the load. The upstream
is called directly and through the service in turns; the differences of the medians are what counts.
"""

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import orjson

from tests.bench.bench_gateway import make_key
from tests.bench.serving import cpu_of, free_port, wait_for

_HERE = str(Path(__file__).resolve().parents[2])
MODEL = "fast"
MESSAGES = [{"role": "user", "content": "Say something short."}]
REPLY = orjson.dumps(
    {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": MODEL,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Something short. " * 10},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 12, "completion_tokens": 30, "total_tokens": 42},
    }
)
CHUNK = b'data: {"id":"1","object":"chat.completion.chunk","created":1,"model":"fast","choices":'
CHUNK += b'[{"index":0,"delta":{"content":" word"},"finish_reason":null}]}\n\n'
DONE = b"data: [DONE]\n\n"
CHUNKS, CHUNKS_A_SECOND = 100, 50
CONNECTIONS = 48
STREAMS = 200


async def upstream(scope: Any, receive: Callable[[], Awaitable[Any]], send: Any) -> None:
    """The fake: an answer at once, or events at a steady pace."""
    if scope["type"] != "http":
        return
    body = b""
    while (message := await receive()).get("more_body"):
        body += message["body"]
    body += message.get("body", b"")
    if b'"stream":true' in body:
        await _stream(send)
        return
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(REPLY))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": REPLY})


async def _stream(send: Any) -> None:
    headers = [(b"content-type", b"text/event-stream")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    due = time.perf_counter()
    for _ in range(CHUNKS):
        await send({"type": "http.response.body", "body": CHUNK, "more_body": True})
        due += 1 / CHUNKS_A_SECOND
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
    await send({"type": "http.response.body", "body": DONE})


def serve(port: int) -> None:
    """What the upstream's process does."""
    import uvicorn

    uvicorn.run(
        upstream,
        host="127.0.0.1",
        port=port,
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="off",
        access_log=False,
        log_level="warning",
        server_header=False,
        proxy_headers=False,
    )


def make_room(directory: Path) -> None:
    """Let one key have more streams at once than by default: a busy machine piles them up."""
    from plugin.gate.limits import EACH, Limit
    from plugin.gate.limits_store import LimitStore
    from plugin.storage.database import open_blocking

    engine = open_blocking(f"sqlite:///{directory / 'plugin.db'}")
    LimitStore(engine).set(Limit("key", EACH, "concurrent", "none", 10 * STREAMS))
    engine.dispose()


def _pin(pid: int, core: int) -> None:
    """Keep a process with all its threads on one core; children that it starts later stay there."""
    if hasattr(os, "sched_setaffinity"):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            os.sched_setaffinity(int(thread.name), {core})


def _cores() -> tuple[int, int]:
    """One for our worker, and one for everything else, where there are two."""
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [0]
    return cores[0], cores[-1]


class Child:
    """A process that serves."""

    name = "upstream"

    def __init__(self, directory: Path) -> None:
        self.port = free_port()
        self.command = [__file__, "--child", "--port", str(self.port)]
        self.env = {**os.environ, "PYTHONPATH": _HERE}
        self.log = (directory / f"{self.name}.log").open("wb")

    async def start(self) -> None:
        """Start it, and wait until it listens."""
        self.process = await asyncio.create_subprocess_exec(
            sys.executable, *self.command, stderr=self.log, stdout=self.log, env=self.env
        )
        await asyncio.to_thread(wait_for, self.port)

    async def stop(self) -> None:
        """End it."""
        self.process.terminate()
        await self.process.wait()
        self.log.close()


class Plugin(Child):
    """Our service: a parent, which writes the ledger, and one worker."""

    name = "plugin"

    def __init__(self, upstream_port: int, directory: Path) -> None:
        super().__init__(directory)
        self.command = ["-m", "plugin", "serve", "--port", str(self.port), "--workers", "1"]
        address = f"http://127.0.0.1:{upstream_port}/v1"
        far = {"name": "fake", "base_url": address, "api_key": "k", "models": [MODEL]}
        self.env |= {
            "PLUGIN_DATA_DIR": str(directory),
            "PLUGIN_ENGINE": "none",
            "PLUGIN_UPSTREAMS": orjson.dumps([far]).decode(),
        }

    def pin(self, worker_core: int) -> None:
        """Give the worker a core."""
        pid = self.process.pid
        (self.worker,) = map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
        _pin(self.worker, worker_core)

    def cpu(self) -> tuple[float, float]:
        """Seconds of CPU that the worker and its parent have spent so far."""
        return cpu_of(self.worker), cpu_of(self.process.pid)


def _request(key: str, *, stream: bool) -> bytes:
    body = orjson.dumps({"model": MODEL, "messages": MESSAGES, "stream": stream})
    return (
        b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n"
        b"Content-Type: application/json\r\nAuthorization: Bearer %s\r\n"
        b"Content-Length: %d\r\n\r\n%s"
    ) % (key.encode(), len(body), body)


async def calls(port: int, key: str, seconds: float, connections: int) -> list[float]:
    """The time of each call, of callers who call again as soon as they are answered."""
    request, times = _request(key, stream=False), list[float]()
    end = time.perf_counter() + seconds

    async def one() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while (started := time.perf_counter()) < end:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200"):
                raise SystemExit(f"a call failed: {head!r}")
            await reader.readexactly(int(head.lower().split(b"content-length: ")[1].split()[0]))
            times.append(time.perf_counter() - started)
        writer.close()

    await asyncio.gather(*(one() for _ in range(connections)))
    return times


async def streams(port: int, key: str) -> list[float]:
    """The time to the first event of each stream; they begin one after another and overlap."""
    request = _request(key, stream=True)
    length = CHUNKS / CHUNKS_A_SECOND

    async def one(number: int) -> float:
        await asyncio.sleep(number * length / STREAMS)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        started = time.perf_counter()
        writer.write(request)
        await reader.readuntil(b"data: {")
        first = time.perf_counter() - started
        await reader.readuntil(b"data: [DONE]\n\n")
        writer.close()
        return first

    # as many again, so that all the time there are STREAMS of them
    times = await asyncio.gather(*(one(number) for number in range(2 * STREAMS)))
    return times[STREAMS // 2 : -STREAMS // 2]


async def compare(rounds: int, seconds: float) -> None:
    """Interleave, and print what came out."""
    ours, others = _cores()
    _pin(os.getpid(), others)
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        key = make_key(directory)
        make_room(directory)
        far = Child(directory)
        near = Plugin(far.port, directory)
        await far.start()
        await near.start()
        near.pin(ours)
        try:
            await _report(far, near, key, rounds, seconds)
        finally:
            await near.stop()
            await far.stop()


async def _report(far: Child, near: Plugin, key: str, rounds: int, seconds: float) -> None:
    await calls(near.port, key, 1, CONNECTIONS)
    rates, spent, beside = list[float](), list[float](), list[float]()
    added, first, events = list[float](), list[float](), list[float]()
    for _ in range(rounds):
        before = near.cpu()
        many = await calls(near.port, key, seconds, CONNECTIONS)
        rates.append(len(many) / seconds)
        worker, parent = (now - then for now, then in zip(near.cpu(), before, strict=True))
        spent.append(worker / len(many) * 1e6)
        beside.append(parent / len(many) * 1e6)
        alone = [await calls(child.port, key, seconds / 2, 1) for child in (far, near)]
        added.append(_median_ms(alone[1]) - _median_ms(alone[0]))
        before = near.cpu()
        flowing = [await streams(child.port, key) for child in (far, near)]
        events.append((near.cpu()[0] - before[0]) / (2 * STREAMS * CHUNKS) * 1e6)
        first.append(_median_ms(flowing[1]) - _median_ms(flowing[0]))
    print(f"requests/s on one core     {_all(rates, 0)}   (target: 2000)")
    print(f"CPU of one, microseconds   {_all(spent, 0)}")
    print(f"  and beside, for the ledger {_all(beside, 0)}")
    print(f"  and of an event of a stream {_all(events, 0)}")
    print(f"added at p50, ms           {_all(added, 2)}   (target: 1)")
    print(f"added to the first event of {STREAMS} streams, ms  {_all(first, 2)}   (target: 5)")


def _median_ms(times: list[float]) -> float:
    return statistics.median(times) * 1000


def _all(values: list[float], digits: int) -> str:
    rounded = ", ".join(f"{value:.{digits}f}" for value in values)
    return f"{statistics.median(values):.{digits}f}   rounds: {rounded}"


def main() -> None:
    """Parent or child, by the arguments."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, default=0, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        serve(given.port)
        return
    import uvloop

    uvloop.run(compare(given.rounds, given.seconds))


if __name__ == "__main__":
    main()
