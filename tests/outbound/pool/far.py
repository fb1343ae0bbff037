"""A server on loopback whose answers, good and bad, are played byte for byte."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from plugin.outbound.client import GuardedClient, Limits

Play = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@dataclass
class Far:
    """A server; `plays` say what happens on each connection after another, the last one stays."""

    plays: list[Sequence[bytes | Play]]
    url: str = ""
    reads_bodies: bool = True
    heads: list[str] = field(default_factory=list)
    connections: int = 0
    ended: int = 0
    running: "set[asyncio.Task[None]]" = field(default_factory=set)

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self.running.add(task)
        plays = self.plays.pop(0) if len(self.plays) > 1 else self.plays[0]
        try:
            for play in plays:
                await self._read(reader)
                if callable(play):
                    await play(reader, writer)
                else:
                    writer.write(play)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # what hangs is cancelled at the end of all
        finally:
            self.ended += 1
            self.running.discard(task)
            writer.transport.abort() if writer.is_closing() else writer.close()

    async def _read(self, reader: asyncio.StreamReader) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.heads.append(head)
        for line in head.lower().split("\r\n"):
            if self.reads_bodies and line.startswith("content-length:"):
                await reader.readexactly(int(line.partition(":")[2]))


@asynccontextmanager
async def far(
    *plays: Sequence[bytes | Play], tls: ssl.SSLContext | None = None
) -> AsyncIterator[Far]:
    found = Far(list(plays))
    server = await asyncio.start_server(found.handle, "127.0.0.1", 0, ssl=tls)
    async with server:
        port = server.sockets[0].getsockname()[1]
        found.url = f"https://localhost:{port}" if tls else f"http://127.0.0.1:{port}"
        yield found
        for task in list(found.running):
            task.cancel()
        await asyncio.gather(*found.running)


def client_of(there: Far, **limits: Any) -> GuardedClient:
    return GuardedClient(trusted=[there.url], limits=Limits(**limits) if limits else None)


async def asked(client: GuardedClient, there: Far, **more: Any) -> bytes:
    method = more.pop("method", "POST")
    given: dict[str, Any] = {"headers": (), "body": b"{}", **more}
    async with client.stream(method, there.url, "/v1/x", **given) as answer:
        return b"".join([piece async for piece in answer.pieces])


async def settled() -> None:
    await asyncio.sleep(0.05)


async def hangs(_: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
    await asyncio.sleep(30)


async def cuts(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


async def ends(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


def says(*pieces: bytes, pause: float = 0.01, then: Play | None = None) -> Play:
    async def play(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(pause)
        if then is not None:
            await then(reader, writer)

    return play
