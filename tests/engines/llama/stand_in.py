"""A server on loopback that speaks as llama.cpp does, and writes what a test tells it to."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from plugin.engines.fair_queue import FairQueue, LocalPlaces
from plugin.engines.llama.link import Server
from plugin.engines.llama.process.state import EngineState, write_state

Body = dict[str, Any]
KEY = "a-key-of-its-own"


@dataclass(frozen=True)
class Answer:
    """A status and the bytes after the head, in `pieces`; the connection is then cut if `cut`.

    Without an end it stays open, `silent`, until the other side has gone.
    """

    status: int = 200
    pieces: Sequence[bytes] = ()
    cut: bool = False
    silent: bool = False


def queues(places: int) -> Mapping[Server, FairQueue]:
    """Queues of one process; one caller may hold all `places`."""
    return {
        "text": FairQueue(LocalPlaces(places, share=places)),
        "vectors": FairQueue(LocalPlaces(places, share=places)),
    }


Answering = Callable[[str, Body], Answer]


@dataclass
class StandIn:
    """Where it listens, what it was asked, and how many asked and went away."""

    answer: Answering
    url: str = ""
    asked: list[tuple[str, Body]] = field(default_factory=list)
    heads: list[bytes] = field(default_factory=list)
    gone: int = 0
    open: int = 0
    most_open: int = 0

    def bodies(self, path: str) -> list[Body]:
        return [body for asked, body in self.asked if asked == path]

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        try:
            await self._answer(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            self.gone += 1
        finally:
            self.open -= 1
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
        body = json.loads(await reader.readexactly(length))
        path = head.split(b" ")[1].decode()
        self.heads.append(head)
        self.asked.append((path, body))
        answer = self.answer(path, body)
        writer.write(f"HTTP/1.1 {answer.status} Some Reason\r\n".encode())
        writer.write(b"Server: llama.cpp\r\nTransfer-Encoding: chunked\r\n")
        writer.write(b"Connection: close\r\n\r\n")
        for piece in answer.pieces:
            writer.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
            await writer.drain()
            await asyncio.sleep(0)
        if answer.silent:
            assert await reader.read() == b""
            self.gone += 1
        elif not answer.cut:
            writer.write(b"0\r\n\r\n")
            await writer.drain()


@asynccontextmanager
async def standing_in(answer: Answering) -> AsyncIterator[StandIn]:
    """The server, until the end of the context."""
    found = StandIn(answer)
    server = await asyncio.start_server(found.handle, "127.0.0.1", 0)
    found.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield found
    finally:
        server.close()


async def until(true: Callable[[], bool], seconds: float = 2.0) -> None:
    """Wait for something that is about to happen."""
    async with asyncio.timeout(seconds):
        while not true():  # noqa: ASYNC110 - what happens in a server sets no event
            await asyncio.sleep(0.01)


def ready(file: Path, url: str, **changed: Any) -> None:
    """Say that the engine listens at `url`."""
    state: Body = {"state": "ready", "pid": 1, "text": url, "vectors": url, "key": KEY}
    write_state(file, EngineState(**{**state, "context": 2048, "slots": 4} | changed))


def answer_json(value: Any, status: int = 200) -> Answer:
    return Answer(status, [json.dumps(value).encode()])


def refused(message: str, kind: str = "invalid_request_error", **more: Any) -> Answer:
    told = {"code": 400, "message": message, "type": kind, **more}
    return answer_json({"error": told}, 400)


def too_long(tokens: int, context: int) -> Answer:
    return refused(
        f"request ({tokens} tokens) exceeds the available context size ({context} tokens), try "
        "increasing it",
        "exceed_context_size_error",
        n_prompt_tokens=tokens,
        n_ctx=context,
    )


def token(text: str, logprob: float = -0.5, *, others: Sequence[str] = ()) -> Body:
    """An entry of logprobs as llama.cpp writes it."""
    told = {"id": 7, "token": text, "bytes": list(text.encode()), "logprob": logprob}
    ranked = [
        {**told, "token": other, "bytes": list(other.encode()), "logprob": logprob - place}
        for place, other in enumerate(others)
    ]
    return {**told, "top_logprobs": ranked}


def chat_events(
    *texts: str, prompt: int = 31, finish: str = "length", logprobs: bool = False
) -> list[bytes]:
    """A chat as llama.cpp streams it: progress, role, texts, finish, usage, end."""
    role: Body = {"delta": {"role": "assistant", "content": None}}
    deltas = [role]
    for text in texts:
        extra = {"logprobs": {"content": [token(text, others=(text, "else"))]}} if logprobs else {}
        deltas.append({"delta": {"content": text}, **extra})
    events = [
        {**_HEAD, "choices": [{"index": 0, "finish_reason": None, **delta}], **_timings(prompt, n)}
        for n, delta in enumerate(deltas)
    ]
    progress = {"total": prompt, "cache": 0, "processed": 0, "time_ms": 0}
    begin = {"index": 0, "finish_reason": None, **role}
    events.insert(0, {**_HEAD, "choices": [begin], "prompt_progress": progress})
    end = {"index": 0, "finish_reason": finish, "delta": {}}
    events += [{**_HEAD, "choices": [end]}, {**_HEAD, "choices": [], **_usage(prompt, len(texts))}]
    return [*map(_event, events), b"data: [DONE]\n\n"]


def text_events(
    *texts: str, prompt: int = 3, finish: str = "length", logprob: float | None = None
) -> list[bytes]:
    """A legacy completion as llama.cpp streams it."""
    events: list[Body] = []
    for n, text in enumerate(texts):
        told = None
        if logprob is not None:
            told = {"content": [token(text, logprob, others=("best", "next"))]}
        choice = {"text": text, "index": 0, "logprobs": told, "finish_reason": None}
        events.append({**_HEAD, "choices": [choice], **_timings(prompt, n + 1)})
    last = {"text": "", "index": 0, "logprobs": None, "finish_reason": finish}
    events.append({**_HEAD, "choices": [last], **_usage(prompt, len(texts))})
    return [*map(_event, events), b"data: [DONE]\n\n"]


_HEAD: Mapping[str, Any] = {
    "created": 1795421816,
    "id": "chatcmpl-KDEcTjRLjTPupKtgUF9AnCxWzKX9x37u",
    "model": "/somewhere/SmolLM2-135M-Instruct.Q4_1.gguf",
    "system_fingerprint": "b0-unknown",
}


def _timings(prompt: int, written: int) -> Body:
    return {"timings": {"cache_n": prompt - 1, "prompt_n": 1, "predicted_n": written}}


def _usage(prompt: int, written: int) -> Body:
    told = {"completion_tokens": written, "prompt_tokens": prompt, "total_tokens": prompt + written}
    return {"usage": told, **_timings(prompt, written)}


def _event(value: Mapping[str, Any]) -> bytes:
    return b"data: " + json.dumps(value, ensure_ascii=False).encode() + b"\n\n"
