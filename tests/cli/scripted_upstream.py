"""A model provider on loopback that answers with what a test gives it, as slowly as it says."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

Script = Callable[["Asked", asyncio.StreamWriter], Awaitable[None]]


@dataclass(frozen=True)
class Asked:
    """One request as it came over the wire."""

    line: str
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, wanted: str) -> str | None:
        return next((value for name, value in self.headers if name.lower() == wanted), None)


@dataclass
class Upstream:
    """Where it listens, what it answers, what it was asked."""

    script: Script
    url: str = ""
    asked: list[Asked] = field(default_factory=list)
    left: asyncio.Event = field(default_factory=asyncio.Event)

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                asked = await read_request(reader)
                self.asked.append(asked)
                await self.script(asked, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            self.left.set()
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()


async def read_request(reader: asyncio.StreamReader) -> Asked:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    line, *rest = head.rstrip("\r\n").split("\r\n")
    headers = [(name, value.strip()) for name, _, value in (one.partition(":") for one in rest)]
    asked = Asked(line, headers, b"")
    if asked.header("transfer-encoding") == "chunked":
        return Asked(line, headers, await read_chunks(reader))
    length = int(asked.header("content-length") or 0)
    return Asked(line, headers, await reader.readexactly(length))


async def read_chunks(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while size := int(await reader.readline(), 16):
        body += await reader.readexactly(size)
        await reader.readexactly(2)
    await reader.readexactly(2)
    return body


def whole(value: Any, *headers: str, status: str = "200 OK", packed: bytes | None = None) -> Script:
    """A JSON answer with its length."""
    body = json.dumps(value).encode() if packed is None else packed
    lines = [f"HTTP/1.1 {status}", "Content-Type: application/json", *headers]
    head = "\r\n".join([*lines, f"Content-Length: {len(body)}"]).encode()

    async def answer(_: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(head + b"\r\n\r\n" + body)
        await writer.drain()

    return answer


def streamed(
    text: str, *, seconds: float = 0.0, size: int = 40, before_last: asyncio.Event | None = None
) -> Script:
    """An event stream in chunks; `before_last` is waited for before the last one is sent."""
    data = text.encode()
    pieces = [data[start : start + size] for start in range(0, len(data), size)]

    async def answer(_: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n"
        )
        for index, piece in enumerate(pieces):
            if before_last is not None and index == len(pieces) - 1:
                await before_last.wait()
            writer.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
            await writer.drain()
            await asyncio.sleep(seconds)
        writer.write(b"0\r\n\r\n")
        await writer.drain()

    return answer
