"""The recording proxy behind a real server, with a scripted provider behind it."""

import asyncio
import contextlib
import gzip
import json
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from plugin.cli.harness.record import configuration
from plugin.harness import transcript
from plugin.harness.recording.masking import Masker
from plugin.harness.recording.recorder import Recorder
from plugin.harness.recording.row_file import RowFile
from plugin.harness.transcript import Reply
from plugin.outbound.client import GuardedClient
from plugin.transports.recording_proxy import RecordingProxy
from tests.cli.scripted_upstream import Asked, Script, Upstream, read_chunks, streamed, whole
from tests.harness.recordings import in_pieces, stream

TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "send_mail",
            "parameters": {
                "type": "object",
                "properties": {"to": {"type": "string", "format": "email"}},
            },
        },
    }
]
CHAT = {"model": "gpt-4o", "tools": TOOLS, "messages": [{"role": "user", "content": "my secret"}]}
KEY = "sk-proj-abcdefghijklmnopqrstuvwx"


def completion(arguments: str = '{"to": "alice@corp.io"}') -> dict[str, Any]:
    call = {"id": "call_1", "type": "function"}
    function = {"name": "send_mail", "arguments": arguments}
    message = {"role": "assistant", "content": None, "tool_calls": [call | {"function": function}]}
    return {"object": "chat.completion", "choices": [{"index": 0, "message": message}]}


def chunk(delta: dict[str, Any]) -> dict[str, Any]:
    return {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta}]}


def call_chunks(arguments: str) -> list[dict[str, Any]]:
    """A call as OpenAI streams it: its name once, its arguments in pieces."""
    first = {"index": 0, "id": "call_1", "function": {"name": "send_mail", "arguments": ""}}
    pieces = [{"index": 0, "function": {"arguments": piece}} for piece in in_pieces(arguments)]
    return [chunk({"tool_calls": [piece]}) for piece in (first, *pieces)]


ANTHROPIC = [
    {"type": "message_start", "message": {"type": "message", "content": []}},
    {
        "type": "content_block_start",
        "index": 0,
        "content_block": {"type": "tool_use", "id": "toolu_1", "name": "send_mail", "input": {}},
    },
    *(
        {
            "type": "content_block_delta",
            "index": 0,
            "delta": {"type": "input_json_delta", "partial_json": piece},
        }
        for piece in in_pieces('{"to": "alice@corp.io"}')
    ),
    {"type": "content_block_stop", "index": 0},
    {"type": "message_stop"},
]


@dataclass
class Proxy:
    """A running proxy, what it said, and what it wrote."""

    port: int
    recorder: Recorder
    said: list[str]
    file: Path

    @property
    def rows(self) -> list[Any]:
        return [json.loads(line) for line in self.file.read_text().splitlines()]

    @property
    def replies(self) -> list[Reply]:
        with self.file.open("rb") as rows:
            return [one for one in transcript.read(rows) if isinstance(one, Reply)]

    async def ask(
        self,
        body: Any = CHAT,
        *headers: str,
        method: str = "POST",
        target: str = "/chat/completions",
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        content = b"" if body is None else json.dumps(body).encode()
        lines = [f"{method} {target} HTTP/1.1", "Host: localhost", *headers]
        if body is not None:
            lines += ["Content-Type: application/json", f"Content-Length: {len(content)}"]
        writer.write("\r\n".join([*lines, "", ""]).encode() + content)
        await writer.drain()
        return reader, writer

    async def get(self, *arguments: Any, **options: Any) -> tuple[str, bytes]:
        """The head and the whole body of one answer."""
        reader, writer = await self.ask(*arguments, **options)
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        if "transfer-encoding: chunked" in head.lower():
            body = await read_chunks(reader)
        else:
            length = head.lower().partition("content-length: ")[2].partition("\r\n")[0]
            body = await reader.readexactly(int(length or 0))
        writer.close()
        return head, body


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


Start = Callable[..., Any]


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Start]:
    async with contextlib.AsyncExitStack() as stack:

        async def go(script: Script, *, base: str = "", limit: int = 100_000) -> Any:
            upstream = Upstream(script)
            listening = await asyncio.start_server(upstream.handle, "127.0.0.1", 0)
            stack.callback(listening.close)
            upstream.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}{base}"
            said: list[str] = []
            rows = RowFile(tmp_path / "calls.jsonl", limit)
            stack.callback(rows.close)
            recorder = Recorder(rows, Masker(), limit)
            client = GuardedClient(allow_loopback=True)
            application = RecordingProxy(client, upstream.url, recorder, said.append, limit)
            listener = socket.socket()
            listener.bind(("127.0.0.1", 0))
            listener.listen()
            server = _Server(configuration(application))
            serving = asyncio.create_task(server.serve(sockets=[listener]))

            async def stop() -> None:
                server.should_exit = True
                await serving

            stack.push_async_callback(stop)
            port = listener.getsockname()[1]
            return upstream, Proxy(port, recorder, said, tmp_path / "calls.jsonl")

        yield go


async def test_requests_and_answers_pass_as_they_are(start: Start) -> None:
    packed = gzip.compress(json.dumps(completion()).encode())
    answer = whole(
        *(None, "Content-Encoding: gzip", "X-Request-Id: req_1", "Set-Cookie: a=1"),
        *("Set-Cookie: b=2", "Connection: X-Own", "X-Own: hop", "Keep-Alive: timeout=5"),
        packed=packed,
    )
    upstream, proxy = await start(answer)
    head, body = await proxy.get(
        *(CHAT, f"Authorization: Bearer {KEY}", "X-Stainless-Lang: python", "TE: trailers"),
        *("Accept-Encoding: gzip, deflate", "Connection: keep-alive, X-Mine", "X-Mine: hop"),
        target="/v1/a%2Fb?api-version=1%202&x",
    )
    (asked,) = upstream.asked
    assert asked.line == "POST /v1/a%2Fb?api-version=1%202&x HTTP/1.1"
    assert json.loads(asked.body) == CHAT
    assert {(name.lower(), value) for name, value in asked.headers} == {
        ("host", upstream.url.removeprefix("http://")),
        ("authorization", f"Bearer {KEY}"),
        ("x-stainless-lang", "python"),
        ("accept-encoding", "gzip, deflate"),
        ("content-type", "application/json"),
        ("content-length", str(len(json.dumps(CHAT)))),
    }
    assert body == packed
    lines = head.lower().split("\r\n")
    assert lines[0] == "http/1.1 200 ok"
    assert sorted(line for line in lines[1:] if line) == sorted(
        [
            *("content-type: application/json", "content-encoding: gzip", "x-request-id: req_1"),
            *("set-cookie: a=1", "set-cookie: b=2", f"content-length: {len(packed)}"),
        ]
    )
    assert proxy.replies[0].calls[0].name == "send_mail"


async def test_a_row_holds_what_was_asked_for_and_nothing_that_is_secret(start: Start) -> None:
    _, proxy = await start(whole(completion()))
    await proxy.get(CHAT, f"Authorization: Bearer {KEY}")
    (row,) = proxy.rows
    assert row["request"] == {"model": "gpt-4o", "tools": TOOLS}
    assert row["response"] == completion('{"to":"user1@example.com"}')
    written = proxy.file.read_text()
    assert KEY not in written
    assert "my secret" not in written, "messages are not recorded"
    assert proxy.file.stat().st_mode & 0o077 == 0


async def test_the_first_byte_does_not_wait_for_the_last(start: Start) -> None:
    seen = asyncio.Event()
    text = stream(*call_chunks('{"to": "alice@corp.io"}'), done=True)
    _, proxy = await start(streamed(text, before_last=seen))
    reader, writer = await proxy.ask()
    await reader.readuntil(b"\r\n\r\n")
    async with asyncio.timeout(5):
        first = await reader.readuntil(b"data: ")
        assert first.endswith(b"data: ")
        seen.set()
        rest = await reader.readuntil(b"[DONE]")
    assert b"alice" not in rest or b"corp.io" not in rest, "it came in pieces"
    (row,) = proxy.rows  # it was there before the end
    assert "alic" not in row["response"]
    assert proxy.replies[0].calls[0].arguments == '{"to":"user1@example.com"}'
    writer.close()


async def test_a_stream_is_passed_on_byte_for_byte(start: Start) -> None:
    text = ": comment\r\n\r\n" + stream(*call_chunks('{"to": "北京"}'), done=True, end="\r\n")
    _, proxy = await start(streamed(text, size=7))
    head, body = await proxy.get()
    assert body == text.encode()
    assert "text/event-stream; charset=utf-8" in head
    assert proxy.rows[0]["response"] == text, "nothing to mask, nothing changed"


async def test_anthropic_and_a_stream_without_a_last_event(start: Start) -> None:
    tool = {"name": "send_mail", "input_schema": {"type": "object"}}
    _, proxy = await start(streamed(stream(*ANTHROPIC[:-1], named=True)))
    await proxy.get({"model": "claude", "tools": [tool]}, target="/v1/messages")
    (reply,) = proxy.replies
    assert (reply.format, reply.calls[0].name) == ("anthropic", "send_mail")
    assert reply.calls[0].arguments == '{"to":"user1@example.com"}'


async def test_gemini_names_its_model_in_the_path(start: Start) -> None:
    part = {"functionCall": {"name": "send_mail", "args": {"to": "alice@corp.io"}}}
    _, proxy = await start(whole({"candidates": [{"content": {"parts": [part]}}]}))
    await proxy.get({"contents": []}, target="/v1beta/models/gemini-3-pro:generateContent?key=abc")
    (row,) = proxy.rows
    assert row["request"] == {"model": "gemini-3-pro"}
    assert "abc" not in proxy.file.read_text()
    assert proxy.replies[0].calls[0].arguments == {"to": "user1@example.com"}


@pytest.mark.parametrize(
    ("base", "target", "reached"),
    [
        ("/v1", "/chat/completions", "/v1/chat/completions"),
        ("/v1", "/v1/chat/completions", "/v1/chat/completions"),
        ("/v1", "/v1beta/x", "/v1/v1beta/x"),
        ("", "/v1/chat/completions?a=b", "/v1/chat/completions?a=b"),
        ("/v1/", "/models", "/v1/models"),
    ],
)
async def test_the_path_of_the_upstream_is_added_once(
    start: Start, base: str, target: str, reached: str
) -> None:
    upstream, proxy = await start(whole({}), base=base)
    await proxy.get(None, method="GET", target=target)
    assert upstream.asked[0].line == f"GET {reached} HTTP/1.1"


async def test_what_is_no_reply_passes_without_a_row(start: Start) -> None:
    refused = {"error": {"message": "slow down"}}
    upstream, proxy = await start(whole(refused, "Retry-After: 1", status="429 Too Many Requests"))
    head, body = await proxy.get()
    assert "429 Too Many Requests" in head
    assert "retry-after: 1" in head.lower()
    assert json.loads(body) == refused
    upstream.script = whole(completion())
    await proxy.get(None, method="GET", target="/chat/completions/1")
    upstream.script = whole({"object": "list", "data": [{"embedding": [0.1]}]})
    await proxy.get({"input": "x"}, target="/embeddings")
    assert proxy.rows == []
    assert proxy.recorder.left_out == {"it is no reply of a model": 1}


async def test_an_upstream_that_is_away(start: Start) -> None:
    upstream, proxy = await start(whole({}))
    free = socket.socket()
    free.bind(("127.0.0.1", 0))
    away = f"http://127.0.0.1:{free.getsockname()[1]}"
    free.close()
    sent: list[Any] = []

    async def receive() -> Any:
        await asyncio.sleep(0)
        if sent:
            await asyncio.sleep(60)
        return {"type": "http.request", "body": b"{}", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/x",
        "raw_path": b"/x",
        "query_string": b"",
        "headers": [(b"content-length", b"2")],
    }
    async with GuardedClient(allow_loopback=True) as client:
        application = RecordingProxy(client, away, proxy.recorder, proxy.said.append)
        await application(scope, receive, send)
    assert upstream.asked == []
    assert sent[0]["status"] == 502
    problem = json.loads(sent[1]["body"])
    assert problem["status"] == 502
    assert "cannot be reached" in problem["detail"]
    assert problem["error"]["message"] == problem["detail"]
    assert proxy.said == ["127.0.0.1 cannot be reached. Try again later."]
    assert proxy.recorder.left_out == {}


async def test_an_answer_that_breaks_off_looks_broken_off(start: Start) -> None:
    async def answer(_: Asked, writer: asyncio.StreamWriter) -> None:
        piece = stream(*call_chunks('{"to": ')).encode()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n")
        writer.write(b"Transfer-Encoding: chunked\r\n\r\n")
        writer.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
        await writer.drain()
        writer.close()
        raise ConnectionResetError

    _, proxy = await start(answer)
    reader, writer = await proxy.ask()
    everything = await reader.read()
    writer.close()
    assert b"data: " in everything
    assert not everything.endswith(b"0\r\n\r\n"), "no end was made up"
    assert proxy.rows == []
    assert proxy.recorder.left_out == {"the upstream broke it off": 1}
    assert len(proxy.said) == 1


async def test_the_upstream_stops_when_the_client_leaves(start: Start) -> None:
    async def answer(_: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
        while True:
            writer.write(stream(chunk({"content": "on and on"})).encode())
            await writer.drain()
            await asyncio.sleep(0.02)

    upstream, proxy = await start(answer)
    reader, writer = await proxy.ask()
    await reader.readuntil(b"data: ")
    writer.close()
    async with asyncio.timeout(1):
        await upstream.left.wait()
    await asyncio.sleep(0.05)
    assert proxy.rows == []
    assert proxy.recorder.left_out == {"the client left before its end": 1}


async def test_what_is_too_large_passes_and_is_counted(start: Start) -> None:
    large = completion(json.dumps({"to": "x" * 30_000}))
    upstream, proxy = await start(whole(large), limit=20_000)
    _, body = await proxy.get()
    assert json.loads(body) == large
    upstream.script = whole(completion())
    await proxy.get({**CHAT, "messages": ["x" * 30_000]})
    assert len(upstream.asked[1].body) > 30_000
    assert proxy.rows == []
    assert proxy.recorder.left_out == {"it is too large to be kept (see --max-row)": 2}
    await proxy.get()
    assert len(proxy.rows) == 1, "what was kept is given back"


async def test_streams_beside_each_other_give_whole_rows(start: Start) -> None:
    text = stream(*call_chunks('{"to": "alice@corp.io"}'), done=True)
    _, proxy = await start(streamed(text, seconds=0.001))
    bodies = await asyncio.gather(*(proxy.get() for _ in range(24)))
    assert {body for _, body in bodies} == {text.encode()}
    assert len(proxy.replies) == 24
    assert {reply.calls[0].arguments for reply in proxy.replies} == {'{"to":"user1@example.com"}'}


@pytest.mark.parametrize(
    ("accepted", "passed"),
    [
        ("gzip, deflate, br, zstd", "gzip, deflate"),
        ("br", "identity"),
        ("gzip;q=1.0, *;q=0.5", "gzip;q=1.0"),
        ("identity", "identity"),
    ],
)
async def test_nothing_is_asked_for_that_could_not_be_read(
    start: Start, accepted: str, passed: str
) -> None:
    upstream, proxy = await start(whole(completion()))
    await proxy.get(CHAT, f"Accept-Encoding: {accepted}")
    assert upstream.asked[0].header("accept-encoding") == passed


async def test_an_upload_without_a_length(start: Start) -> None:
    upstream, proxy = await start(whole(completion()))
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    writer.write(b"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
    for piece in in_pieces(json.dumps(CHAT), 50):
        writer.write(f"{len(piece):x}\r\n{piece}\r\n".encode())
        await writer.drain()
    writer.write(b"0\r\n\r\n")
    head = await reader.readuntil(b"\r\n\r\n")
    assert b"200 OK" in head
    await reader.readexactly(len(json.dumps(completion())))
    assert json.loads(upstream.asked[0].body) == CHAT
    assert proxy.rows[0]["request"]["model"] == "gpt-4o"
    writer.close()
