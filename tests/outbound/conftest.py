"""A real HTTP server on loopback that answers with the bytes a test gives it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import pytest


@dataclass
class Server:
    """Where it listens, and what it was asked: request line and headers, as they came.

    `readers` are what follows each head.
    """

    url: str = ""
    requests: list[str] = field(default_factory=list)
    readers: list[asyncio.StreamReader] = field(default_factory=list)


Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]
Serve = Callable[[bytes | Answer], Awaitable[Server]]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    async with AsyncExitStack() as stack:

        async def start(answer: bytes | Answer) -> Server:
            found = Server()

            async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                try:
                    found.requests.append((await reader.readuntil(b"\r\n\r\n")).decode())
                    found.readers.append(reader)
                    if isinstance(answer, bytes):
                        writer.write(answer)
                        await writer.drain()
                    else:
                        await answer(writer)
                except (ConnectionError, asyncio.IncompleteReadError):
                    pass
                finally:
                    writer.close()

            server = await asyncio.start_server(handle, "127.0.0.1", 0)
            await stack.enter_async_context(server)
            found.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            return found

        yield start
