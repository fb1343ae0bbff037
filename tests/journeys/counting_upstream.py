"""An upstream in a process of its own that streams, and knows how much of each answer it wrote.

`python -m tests.journeys.counting_upstream PIECES PAUSE` prints its port. A request is known by its
`user`; GET /written tells the pieces of text by that.
"""

import asyncio
import json
import subprocess
import sys
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.engines.scripted_upstream import DONE, EVENTS, chunk


def _piece(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


class _Server:
    def __init__(self, pieces: int, pause: float) -> None:
        self._pieces = pieces
        self._pause = pause
        self._written: Counter[str] = Counter()

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                if head.startswith("GET"):
                    self._tell(writer)
                else:
                    await self._stream(writer, await _body(reader, head))
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    def _tell(self, writer: asyncio.StreamWriter) -> None:
        said = json.dumps(self._written).encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(said)}\r\nConnection: close\r\n\r\n"
        writer.write(head.encode() + said)

    async def _stream(self, writer: asyncio.StreamWriter, body: Any) -> None:
        user = str(body.get("user"))
        writer.write(f"{EVENTS}\r\n".encode() + _piece(chunk(text="")))
        for _ in range(self._pieces):
            self._written[user] += 1
            writer.write(_piece(chunk(text="la ")))
            await writer.drain()
            await asyncio.sleep(self._pause)
        usage = {"prompt_tokens": 7, "completion_tokens": self._pieces}
        told = chunk(choices=[], usage={**usage, "total_tokens": 7 + self._pieces})
        writer.write(_piece(told) + _piece(DONE) + b"0\r\n\r\n")


async def _body(reader: asyncio.StreamReader, head: str) -> Any:
    lines = (line.partition(":") for line in head.lower().split("\r\n"))
    length = next(value for name, _, value in lines if name == "content-length")
    return json.loads(await reader.readexactly(int(length)))


async def _serve(pieces: int, pause: float) -> None:
    handle = _Server(pieces, pause).handle
    server = await asyncio.start_server(handle, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)  # noqa: T201 - for who started us
    await server.serve_forever()


@dataclass(frozen=True)
class CountingUpstream:
    """Where it listens, and how many pieces each answer has."""

    port: int
    pieces: int

    @property
    def settings(self) -> dict[str, str]:
        """What makes it the only upstream of a service, with the model `small`."""
        url = f"http://127.0.0.1:{self.port}/v1"
        far = {"name": "far", "base_url": url, "api_key": "k", "models": ["small"]}
        return {"PLUGIN_UPSTREAMS": json.dumps([far])}

    def written(self) -> dict[str, int]:
        """The pieces that it wrote of each answer."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/written") as answer:
            told: dict[str, int] = json.load(answer)
        return told


@contextmanager
def counting_upstream(pieces: int, pause: float) -> Iterator[CountingUpstream]:
    """One that runs; each answer takes `pieces` times `pause` seconds."""
    process = subprocess.Popen(  # noqa: S603 - our own module
        [sys.executable, "-m", "tests.journeys.counting_upstream", str(pieces), str(pause)],
        stdout=subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        yield CountingUpstream(int(process.stdout.readline()), pieces)
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]), float(sys.argv[2])))
