"""An OpenAI-compatible upstream on loopback that does what a test tells it, good and bad."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from plugin.engines.engine import Ask
from plugin.engines.retries import Waits
from plugin.engines.upstream import Address, Upstream
from plugin.outbound.client import GuardedClient

KEY = "sk-of-the-operator"
DONE = b"data: [DONE]\n\n"
USAGE = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}


@dataclass
class Received:
    """One request as it came."""

    line: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


Play = Callable[[asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Scripted:
    """Answers each request with the next of `plays`; the last one stays."""

    plays: list[Play] = field(default_factory=list)
    url: str = ""
    requests: list[Received] = field(default_factory=list)
    connections: int = 0
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    hung_up: asyncio.Event = field(default_factory=asyncio.Event)

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                self.requests.append(await _read(reader))
                self.asked.set()
                play = self.plays.pop(0) if len(self.plays) > 1 else self.plays[0]
                gone = asyncio.ensure_future(_gone(reader, self.hung_up))
                try:
                    await play(writer)
                    await writer.drain()
                finally:
                    gone.cancel()
                    await asyncio.wait({gone})
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


async def _read(reader: asyncio.StreamReader) -> Received:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    line, *lines = head.split("\r\n")
    pairs = (text.partition(":") for text in lines if text)
    headers = {name.lower(): value.strip() for name, _, value in pairs}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Received(line, headers, body)


async def _gone(reader: asyncio.StreamReader, hung_up: asyncio.Event) -> None:
    # nothing more comes on a connection while its request is answered, but its end
    if not await reader.read(1):
        hung_up.set()


@asynccontextmanager
async def upstream(*plays: Play) -> AsyncIterator[Scripted]:
    """A listening upstream."""
    found = Scripted(list(plays))
    server = await asyncio.start_server(found.handle, "127.0.0.1", 0)
    async with server:
        found.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
        yield found


def whole(
    body: bytes | dict[str, Any], *headers: str, status: int = 200, kind: str = "application/json"
) -> Play:
    """An answer in one piece."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()

    async def play(writer: asyncio.StreamWriter) -> None:
        lines = [f"HTTP/1.1 {status} X", f"Content-Type: {kind}", *headers]
        head = "\r\n".join([*lines, f"Content-Length: {len(content)}", "", ""])
        writer.write(head.encode("latin-1") + content)

    return play


def error(status: int, *headers: str, **members: Any) -> Play:
    """A refusal in OpenAI's form."""
    said = {"message": "no", "type": "some_error", "param": None, "code": None, **members}
    return whole({"error": said}, *headers, status=status)


EVENTS = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n"


def events(*pieces: bytes, pause: float = 0, ends: bool = True, headers: str = "") -> Play:
    """An event stream, one write a piece; without `ends` the connection is cut instead."""

    async def play(writer: asyncio.StreamWriter) -> None:
        writer.write((EVENTS + headers + "\r\n").encode())
        for piece in pieces:
            writer.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            await writer.drain()
            await asyncio.sleep(pause)
        if ends:
            writer.write(b"0\r\n\r\n")
        else:
            writer.transport.abort()

    return play


async def hangs(writer: asyncio.StreamWriter) -> None:
    """No answer at all."""
    del writer
    await asyncio.sleep(30)


async def cut(writer: asyncio.StreamWriter) -> None:
    """The connection is closed instead of an answer."""
    writer.transport.abort()


def reply(model: str = "small", text: str = "hi", **more: Any) -> dict[str, Any]:
    """A whole chat completion."""
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "model": model,
        "choices": [choice],
        "usage": USAGE,
        **more,
    }


def chunk(model: str = "small", text: str = "hi", **more: Any) -> bytes:
    """One event of a chat completion."""
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": None}
    body = {"id": "1", "object": "chat.completion.chunk", "model": model, "choices": [choice]}
    return b"data: " + json.dumps({**body, **more}).encode() + b"\n\n"


def counted(model: str = "small") -> bytes:
    """The event that tells the usage."""
    return chunk(model, choices=[], usage=USAGE)


def ask(path: str = "chat/completions", requested: str = "small", **body: Any) -> Ask:
    """A request for the upstream's model `small`."""
    messages = [{"role": "user", "content": "héllo"}]
    return Ask(path, {"model": requested, "messages": messages, **body}, requested, "small")


class Clock:
    """Seconds that pass when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)


@asynccontextmanager
async def engine(
    url: str, clock: Clock | None = None, *, name: str = "far", **more: Any
) -> AsyncIterator[Upstream]:
    """An engine that asks `url`."""
    clock = clock or Clock()
    address = Address(name, url, KEY, **{"timeout": 5.0, **more})
    async with GuardedClient(trusted=[url]) as client:
        yield Upstream(address, client, clock, Waits(clock.sleep, lambda: 1.0))
