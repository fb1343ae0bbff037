"""An attack by one key: many connections that send the same requests again and again."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import cycle
from typing import Any

_TIMEOUT = 120.0


@dataclass(slots=True)
class Flooded:
    """What the attacker was told: how often each status, and the text of each kind of 5xx."""

    statuses: Counter[int] = field(default_factory=Counter)
    texts: dict[int, str] = field(default_factory=dict)
    retry_after: set[str | None] = field(default_factory=set)
    """The values of the header in all answers of 503."""
    longest: float = 0.0
    """Seconds until the slowest answer."""

    def took_in(self, status: int, headers: Mapping[str, str], body: bytes, seconds: float) -> None:
        """Count one answer."""
        self.statuses[status] += 1
        self.longest = max(self.longest, seconds)
        if status >= 500:
            self.texts.setdefault(status, body.decode(errors="replace")[:500])
        if status == 503:
            self.retry_after.add(headers.get("retry-after"))


def request(
    method: str,
    path: str,
    key: str,
    body: Any = None,
    headers: Mapping[str, str] | None = None,
) -> bytes:
    """The bytes of one request; `body` is bytes, or something to write as JSON."""
    content = (
        body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    )
    lines = {
        "Host": "127.0.0.1",
        "Authorization": f"Bearer {key}",
        "Content-Type": "application/json",
        "Content-Length": str(len(content)),
        **(headers or {}),
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode() + content


async def flood(
    port: int,
    requests: Sequence[bytes],
    connections: int,
    seconds: float,
    *,
    leave_after: float | None = None,
) -> Flooded:
    """Send `requests` in turn on each of so many connections.

    With `leave_after` each connection is closed so many seconds after it sent a request, and opened
    anew.
    """
    told = Flooded()
    until = time.monotonic() + seconds
    turn = cycle(requests)

    async def attack() -> None:
        while time.monotonic() < until:
            with suppress(OSError, asyncio.IncompleteReadError, ValueError):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                try:
                    while time.monotonic() < until:
                        begun = time.monotonic()
                        writer.write(next(turn))
                        await writer.drain()
                        async with asyncio.timeout(leave_after or _TIMEOUT):
                            answer = await _answer(reader)
                        told.took_in(*answer, time.monotonic() - begun)
                except TimeoutError:
                    told.statuses[0] += 1
                finally:
                    writer.close()

    await asyncio.gather(*(attack() for _ in range(connections)))
    return told


async def _answer(reader: asyncio.StreamReader) -> tuple[int, dict[str, str], bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = {
        name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])
    }
    size = headers.get("content-length")
    body = await reader.readexactly(int(size)) if size is not None else await _chunks(reader)
    return int(head[0].split()[1]), headers, body


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    pieces: list[bytes] = []
    while size := int((await reader.readuntil(b"\r\n")).strip(), 16):
        pieces.append(await reader.readexactly(size))
        await reader.readexactly(2)
    await reader.readexactly(2)
    return b"".join(pieces)
