"""`plugin record` as a process, with a provider on loopback behind it."""

import json
import os
import signal
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from plugin.harness.formats import recognise
from tests.harness.command import Command, command
from tests.journeys.running import PATIENCE, Running, running, until

REPLY = json.dumps(
    {
        "type": "message",
        "stop_reason": "tool_use",
        "content": [
            {
                "type": "tool_use",
                "id": "toolu_1",
                "name": "pay",
                "input": {"iban": "x", "pin": 4711},
            }
        ],
    }
).encode()


asked, released = threading.Event(), threading.Event()
"""The provider has got the call that waits; the test lets the provider answer it."""


class _Provider(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer(b"{}")

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        if self.path == "/slow":
            asked.set()
            released.wait(PATIENCE)
        self._answer(REPLY)

    def _answer(self, content: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def provider() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Provider) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def record(monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]) -> Command:
    return command(monkeypatch, capfdbinary, "record")


def call(started: Running, path: str = "/v1/messages") -> bytes:
    body = json.dumps({"model": "claude", "messages": []})
    return started.address.call("POST", path, {"content-type": "application/json"}, body).body


@pytest.mark.parametrize(
    "how", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.long)]
)
def test_a_recording_from_start_to_stop_is_added_to_what_is_there(
    tmp_path: Path, provider: str, how: signal.Signals
) -> None:
    arguments = ("record", "--upstream", provider, "--out", "calls.jsonl")
    (tmp_path / "calls.jsonl").write_text('{"a row that": "broke')
    with running(tmp_path, *arguments) as started:
        assert call(started) == REPLY
        broken, added = (tmp_path / "calls.jsonl").read_text().splitlines()
        assert broken == '{"a row that": "broke', "rows are added to what is there"
        row = json.loads(added)
        assert row["request"] == {"model": "claude"}
        known = recognise(row["response"])
        assert known is not None
        assert known.name == "anthropic"
        assert "4711" not in json.dumps(row)
        call(started)
        assert started.stop(how) == 0
        port = started.address.port
        assert started.out.splitlines() == [
            f"recording {provider} at http://127.0.0.1:{port} into calls.jsonl; Ctrl-C stops",
            "recorded 2 replies in calls.jsonl",
        ]
        assert started.err == ""


def test_a_reply_on_its_way_is_waited_for(tmp_path: Path, provider: str) -> None:
    with running(tmp_path, "record", "--upstream", provider, "--out", "calls.jsonl") as started:
        answers: list[bytes] = []
        asking = threading.Thread(target=lambda: answers.append(call(started, "/slow")))
        asking.start()
        assert asked.wait(PATIENCE)
        started.process.send_signal(signal.SIGINT)
        # its port is closed when it has got the signal
        until(lambda: not is_open(started.address.port))
        assert started.process.poll() is None
        released.set()
        assert started.process.wait(PATIENCE) == 0
        asking.join(PATIENCE)
        assert answers == [REPLY]
        assert "recorded 1 reply in calls.jsonl" in started.out


def is_open(port: int) -> bool:
    with socket.socket() as connection:
        return connection.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--upstream", "http://example.com"], "example.com must be addressed by https"),
        (["--upstream", "https://10.0.0.1"], "10.0.0.1 is not a public address"),
        (["--upstream", "http://169.254.169.254"], "must be addressed by https"),
        (["--upstream", "https://u:p@example.com"], "carries a user name or password"),
        (["--upstream", "nonsense"], "Only http and https addresses"),
    ],
)
def test_an_upstream_that_is_not_allowed(
    record: Command, tmp_path: Path, arguments: list[str], says: str
) -> None:
    file = tmp_path / "calls.jsonl"
    ran = record(*arguments, "--out", file)
    assert ran.code == 2
    assert says in ran.err
    assert ran.err.count("\n") == 1
    assert not file.exists()


def test_a_port_in_use(record: Command, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ran = record("--upstream", "https://example.com", "--out", tmp_path / "x", "--port", port)
    assert ran.code == 2
    assert ran.err == (
        f"error: port {port} is in use; stop what listens there, or choose another with --port\n"
    )


def test_a_file_that_cannot_be_written(record: Command, tmp_path: Path) -> None:
    file = tmp_path / "missing" / "calls.jsonl"
    ran = record("--upstream", "https://example.com", "--out", file, "--port", 0)
    assert ran.code == 2
    assert ran.err.startswith(f"error: cannot write {file}: {os.strerror(2)}")
    assert ran.err.count("\n") == 1
