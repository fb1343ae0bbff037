"""A plain client of event streams on asyncio: as fast as one can be, and free to leave."""

import asyncio
import json
import time
from dataclasses import dataclass, field
from typing import Any

_CHUNK = 65_536


@dataclass
class Answered:
    """What one request got. Times are in seconds after it was sent; `first` is the first token."""

    status: int = 0
    events: list[Any] = field(default_factory=list)
    body: bytes = b""
    first: float | None = None
    took: float = 0.0
    done: bool = False
    closed_early: bool = False

    @property
    def error(self) -> Any:
        """The error that the answer is, or ends with."""
        for event in self.events[-1:]:
            if isinstance(event, dict) and "error" in event:
                return event["error"]
        return json.loads(self.body)["error"] if self.body.startswith(b'{"error"') else None

    @property
    def tokens(self) -> int:
        """How many pieces of text came."""
        return sum(1 for event in self.events if _text(event))


def _text(event: Any) -> str:
    choices = event.get("choices") or [{}]
    return (choices[0].get("delta") or {}).get("content") or choices[0].get("text") or ""


async def post(
    port: int,
    path: str,
    key: str,
    body: Any,
    *,
    leave_after: int | None = None,
    request_id: str | None = None,
) -> Answered:
    """One request on its own connection; with `leave_after` it hangs up after so many events."""
    content = json.dumps(body).encode()
    named = f"x-request-id: {request_id}\r\n" if request_id else ""
    head = (
        f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nauthorization: Bearer {key}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(content)}\r\n"
        f"{named}connection: close\r\n\r\n"
    )
    started = time.perf_counter()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    answered = Answered()
    try:
        writer.write(head.encode() + content)
        await writer.drain()
        if leave_after == 0:
            return answered
        await _read(reader, answered, started, leave_after)
    except (ConnectionError, asyncio.IncompleteReadError):
        answered.closed_early = True
    finally:
        answered.took = time.perf_counter() - started
        writer.transport.abort() if leave_after is not None else writer.close()
    return answered


async def _read(
    reader: asyncio.StreamReader, answered: Answered, started: float, leave_after: int | None
) -> None:
    head = await reader.readuntil(b"\r\n\r\n")
    answered.status = int(head.split(None, 2)[1])
    chunked = b"transfer-encoding: chunked" in head.lower()
    rest = b""
    while piece := await _piece(reader, chunked=chunked):
        if b"text/event-stream" not in head:
            answered.body += piece
            continue
        *lines, rest = (rest + piece).split(b"\n\n")
        for line in lines:
            _take(line, answered, started)
        if leave_after is not None and len(answered.events) >= leave_after:
            return


async def _piece(reader: asyncio.StreamReader, *, chunked: bool) -> bytes:
    if not chunked:
        return await reader.read(_CHUNK)
    size = int((await reader.readuntil(b"\r\n")).split(b";")[0], 16)
    return (await reader.readexactly(size + 2))[:size]


def _take(event: bytes, answered: Answered, started: float) -> None:
    if not event.startswith(b"data: "):
        return
    if event == b"data: [DONE]":
        answered.done = True
        return
    answered.events.append(json.loads(event[6:]))
    if answered.first is None and _text(answered.events[-1]):
        answered.first = time.perf_counter() - started
