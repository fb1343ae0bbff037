"""A service that speaks the GPT API on loopback, and answers with what a test gives it."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

DONE = b"data: [DONE]\n\n"

_PATIENCE = 20.0
_LOOKS = 5
"""How many times in a row a process is found asleep that waits for input, and not for a lock."""


@dataclass(frozen=True)
class Scripted:
    """One answer; `pause` is asked before each piece, and ends the answer with False."""

    status: int = 200
    pieces: Sequence[bytes] = (b"",)
    headers: Mapping[str, str] = field(default_factory=dict)
    pause: Callable[[int], bool] = lambda _: True


@dataclass(frozen=True)
class Asked:
    """One request as it came."""

    line: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class GptApi:
    """Where it listens, what it will answer (the last answer stays), what it was asked."""

    url: str = ""
    answers: list[Scripted] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    left: threading.Event = field(default_factory=threading.Event)

    def will(self, *answers: Scripted) -> "GptApi":
        self.answers[:] = answers
        return self

    def next(self) -> Scripted:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    @property
    def only(self) -> Asked:
        (asked,) = self.asked
        return asked


def whole(value: Any, status: int = 200, **headers: str) -> Scripted:
    names = {name.replace("_", "-"): text for name, text in headers.items()}
    kind = {"content-type": "application/json"}
    return Scripted(status, [json.dumps(value).encode()], kind | names)


def error(status: int, code: str | None, message: str, **headers: str) -> Scripted:
    kind = "server_error" if status >= 500 else "invalid_request_error"
    told = {"message": message, "type": kind, "param": None, "code": code}
    return whole({"error": told}, status, x_request_id="req_7", **headers)


def said(*texts: str) -> Scripted:
    """A chat completion with a choice for each text."""
    choices = [
        {
            "index": index,
            "message": {"role": "assistant", "content": text},
            "finish_reason": "stop",
        }
        for index, text in enumerate(texts)
    ]
    return whole({"id": "chatcmpl-1", "object": "chat.completion", "choices": choices})


def chunk(delta: Mapping[str, Any], finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": dict(delta), "finish_reason": finish}
    return event({"id": "chatcmpl-1", "object": "chat.completion.chunk", "choices": [choice]})


def event(value: Any) -> bytes:
    return f"data: {json.dumps(value, ensure_ascii=False)}\n\n".encode()


def streamed(
    *texts: str, finish: str = "stop", ends: Sequence[bytes] = (DONE,), **rest: Any
) -> Scripted:
    """A streamed chat completion; every second byte of it arrives by itself."""
    pieces = [chunk({"role": "assistant", "content": ""})]
    pieces += [chunk({"content": text}) for text in texts]
    pieces += [chunk({}, finish), *ends]
    return Scripted(200, pieces, {"content-type": "text/event-stream; charset=utf-8"}, **rest)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    api: GptApi

    def log_message(self, *_: Any) -> None:
        """Be quiet."""

    def _answer(self) -> None:
        length = int(self.headers.get("content-length") or 0)
        names = {name.lower(): value for name, value in self.headers.items()}
        self.api.asked.append(Asked(self.requestline, names, self.rfile.read(length)))
        script = self.api.next()
        self.send_response(script.status)
        for name, value in script.headers.items():
            self.send_header(name, value)
        self.send_header("transfer-encoding", "chunked")
        self.send_header("connection", "close")
        self.end_headers()
        self.close_connection = True
        try:
            self._send(script)
        except ConnectionError:
            self.api.left.set()

    def _send(self, script: Scripted) -> None:
        for index, piece in enumerate(script.pieces):
            if not script.pause(index):
                return
            if piece:
                self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
                self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")

    do_GET = do_POST = do_DELETE = _answer  # noqa: N815 - the names that the server looks for


@contextmanager
def gpt_api() -> Iterator[GptApi]:
    """Listens while a test runs."""
    api = GptApi()
    handler = type("Handler", (_Handler,), {"api": api})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    api.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield api
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@dataclass
class CommandLine:
    """Runs `plugin …` as a process of its own, in an empty directory with an empty home."""

    home: Path
    environment: dict[str, str]

    def start(self, *arguments: str, **more: Any) -> "subprocess.Popen[bytes]":
        pipe = subprocess.PIPE
        pipes: dict[str, Any] = {"stdin": pipe, "stdout": pipe, "stderr": pipe}
        return subprocess.Popen(  # noqa: S603 - our own command
            [sys.executable, "-m", "plugin", *arguments],
            cwd=self.home,
            env=self.environment,
            **(pipes | more),
        )

    def run(self, *arguments: str, stdin: str = "") -> "subprocess.CompletedProcess[str]":
        with self.start(*arguments) as process:
            out, err = process.communicate(stdin.encode(), timeout=30)
        return subprocess.CompletedProcess([], process.returncode, out.decode(), err.decode())


def surroundings(home: Path, **more: str) -> dict[str, str]:
    """An environment that says nothing about keys or addresses."""
    kept = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT") if name in os.environ}
    path = os.pathsep.join(sys.path)
    return {**kept, "PYTHONPATH": path, "HOME": str(home), "LANG": "C.UTF-8", **more}


def wait_until_it_sleeps(process: "subprocess.Popen[bytes]") -> None:
    """Wait until the process waits for something that comes from outside."""
    stat, deadline, asleep = Path(f"/proc/{process.pid}/stat"), time.monotonic() + _PATIENCE, 0
    if not stat.exists():
        # a platform without /proc: a second is a guess
        time.sleep(1)
        return
    while asleep < _LOOKS:
        assert time.monotonic() < deadline, "the program does not wait"
        time.sleep(0.01)
        asleep = asleep + 1 if stat.read_text().rpartition(")")[2].split()[0] == "S" else 0


def stop(process: "subprocess.Popen[bytes]") -> None:
    with suppress(ProcessLookupError):
        process.kill()
    process.communicate()
