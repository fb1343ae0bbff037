"""The commands as a person types them: real processes, real ports."""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from plugin.server import listener as listening
from tests.journeys.running import PATIENCE, Running, free_port, running
from tests.journeys.streaming import open_files

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts `plugin …` on a free port in an empty directory."""
    running: list[subprocess.Popen[str]] = []

    def begin(*arguments: str, **environment: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(  # noqa: S603 - our own command
            [sys.executable, "-m", "plugin", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
            env={
                "PYTHONPATH": ":".join(sys.path),
                "PLUGIN_PORT": "0",
                "PLUGIN_ENGINE": "none",
                **environment,
            },
        )
        running.append(process)
        return process

    yield begin
    for process in running:
        if process.poll() is None:
            process.kill()
        process.communicate()


def _read_until(process: "subprocess.Popen[str]", text: str) -> str:
    assert process.stdout is not None
    said = ""
    while text not in said:
        line = process.stdout.readline()
        assert line, (said, process.stderr and process.stderr.read())
        said += line
    return said


def _get(port: int, path: str, key: str | None = None, method: str = "GET") -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    connection.request(method, path, headers=headers)
    response = connection.getresponse()
    body = response.read()
    connection.close()
    return response.status, json.loads(body)


def _port(banner: str) -> int:
    found = re.search(r"http://127\.0\.0\.1:(\d+)/docs", banner)
    assert found is not None
    return int(found[1])


@pytest.mark.long  # in the gate, tests/journeys/test_up.py does the same
def test_up_makes_a_key_says_how_to_call_and_stops_cleanly(start: Start, tmp_path: Path) -> None:
    first = start("up")
    banner = _read_until(first, "OPENAI_API_BASE")
    port, file = _port(banner), tmp_path / "data" / "first-key"
    key = file.read_text().strip()
    assert f"key       {key}" in banner
    assert "/v1" in banner
    assert file.stat().st_mode & 0o777 == 0o600
    status, manifest = _get(port, "/.well-known/ai-plugin.json")
    assert (status, manifest["api"]["url"]) == (200, f"http://127.0.0.1:{port}/openapi.json")
    assert _get(port, "/todos", key)[0] == 200

    curl = next(line for line in banner.splitlines() if "curl" in line)
    command = curl.strip().removeprefix("try").strip().replace("curl ", "curl -s ", 1)
    pasted = subprocess.run(  # noqa: S602 - what we tell people to paste
        command, shell=True, check=True, capture_output=True, text=True
    )
    assert json.loads(pasted.stdout)["todos"] == []

    first.send_signal(signal.SIGINT)
    out, _ = first.communicate(timeout=PATIENCE)
    assert (first.returncode, out) == (0, "stopped\n")

    second = start("up", "--workers", "2")
    again = _read_until(second, "OPENAI_API_BASE")
    assert key not in again
    assert f"in {file} (only you can read it)" in again
    _serves_with_several_workers(second, _port(again), key, tmp_path / "data")


def _serves_with_several_workers(
    process: "subprocess.Popen[str]", port: int, key: str, data: Path
) -> None:
    """Several workers serve one port, and their parent writes the ledger."""
    assert [_get(port, "/todos", key)[0] for _ in range(20)] == [200] * 20
    lock = data / "journal" / "writer.lock"
    if Path("/proc/self/fd").exists():
        deadline = time.monotonic() + PATIENCE
        while lock not in open_files(process.pid):
            assert time.monotonic() < deadline
            time.sleep(0.02)
    day = time.strftime("%Y-%m-%d", time.gmtime())
    assert _get(port, f"/v1/usage?date={day}", key)[0] == 200
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    assert not list(lock.parent.glob("*.log"))


TRUSTED = "127.0.0.2"
"""The address that the service of this module trusts as a proxy."""


@pytest.fixture(scope="module")
def started(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Running, "Future[tuple[int, Any]]"]]:
    """`plugin serve` for tests that only call it, and the first answer that it gave."""
    port, directory = free_port(), tmp_path_factory.mktemp("serving")
    settings = {"PLUGIN_TRUSTED_PROXIES": TRUSTED}
    with ThreadPoolExecutor(1) as beside:
        first = beside.submit(_first_answer, port)
        with running(directory, "serve", settings=settings, port=port) as service:
            yield service, first


@pytest.fixture(scope="module")
def serving(started: tuple[Running, Any]) -> Running:
    return started[0]


def _first_answer(port: int) -> tuple[int, Any]:
    """Call a service that starts until a call is not refused; what it answers."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            return _get(port, "/healthz")
        except ConnectionRefusedError:
            time.sleep(0.01)
    pytest.fail("no answer")


def test_serve_writes_one_line_of_json_a_request(serving: Running) -> None:
    assert serving.address.call("GET", "/todos?text=hunter2", _bearer("hunter2")).status == 401
    answered = serving.address.call("GET", "/nothing", _bearer("hunter2"))
    serving.record(answered.headers["x-request-id"])  # what came before it is written by now
    lines = [json.loads(line) for line in serving.err.splitlines()]
    refused = next(line for line in lines if line.get("path") == "/todos")
    assert (refused["status"], refused["caller"]) == (401, None)
    assert "hunter2" not in serving.err


def _bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


@pytest.mark.parametrize(("source", "client"), [(TRUSTED, "192.0.2.7"), ("127.0.0.1",) * 2])
def test_forwarded_headers_are_believed_from_trusted_proxies_alone(
    serving: Running, source: str, client: str
) -> None:
    assert _client_of_a_forwarded_request(serving, source) == client


@pytest.mark.long
@pytest.mark.parametrize(
    ("trusted", "client"),
    [("", "127.0.0.1"), ("10.0.0.0/8", "127.0.0.1"), ("127.0.0.0/8", "192.0.2.7")],
)
def test_whose_forwarded_headers_are_believed_is_a_setting(
    tmp_path: Path, trusted: str, client: str
) -> None:
    with running(tmp_path, "serve", settings={"PLUGIN_TRUSTED_PROXIES": trusted}) as service:
        assert _client_of_a_forwarded_request(service, "127.0.0.1") == client


def _client_of_a_forwarded_request(service: Running, source: str) -> str:
    address = replace(service.address, source=source)
    answer = address.call("GET", "/readyz", {"X-Forwarded-For": "192.0.2.7"})
    client: str = service.record(answer.headers["x-request-id"])["client"]
    return client


def test_no_server_header_is_sent(serving: Running) -> None:
    assert "server" not in serving.address.call("GET", "/healthz").headers


_ODD_REQUESTS = [
    b"GET /todos HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \xff\xfe\xff\r\n\r\n",
    b"GET /todos HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer a\x00b\r\n\r\n",
    b"GET /todos HTTP/1.1\r\nHost: x\r\nAuthorization:\r\n\r\n",
    b"GET /todos HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer\tx\r\n\r\n",
    b"GET /todos HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer x\r\nAuthorization: Bearer y\r\n\r\n",
    b"GET /todos HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + b"A" * 60_000 + b"\r\n\r\n",
    b"GET /todos HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer a\r\n b\r\n\r\n",
    b"GET /t\xc3\xb6dos HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /%00%ff%fe HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET http://evil.example/todos HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET //todos HTTP/1.1\r\nHost: x\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
    b"POST /todos HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
    b"POST /todos HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    (
        b"GET /todos HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    ),
    b"\x16\x03\x01\x02\x00\x01",
]


def test_no_bytes_on_the_wire_get_a_5xx_or_in(serving: Running) -> None:
    for request in _ODD_REQUESTS:
        with socket.create_connection(
            ("127.0.0.1", serving.address.port), timeout=PATIENCE
        ) as connection:
            connection.sendall(request)
            connection.shutdown(socket.SHUT_WR)
            answer = connection.recv(65_536)
        assert not answer or 300 <= int(answer.split(b" ")[1]) < 500, (request[:80], answer[:200])
    serving.record(serving.address.call("GET", "/healthz").headers["x-request-id"])
    assert "Traceback" not in serving.err


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        (
            {"PLUGIN_PORT": "http"},
            "PLUGIN_PORT: 'http' is not allowed; give a port from 0 to 65535",
        ),
        ({"PLUGIN_HOST": "203.0.113.77"}, "203.0.113.77 is no address of this machine"),
        ({"PLUGIN_OPERATIONS": "no_such_package"}, "PLUGIN_OPERATIONS names no_such_package"),
        *(
            pytest.param({name: text}, message, marks=pytest.mark.long)
            for name, text, message in (
                ("PLUGIN_DATA_DIR", "/dev/null/data", "directory /dev/null/data cannot be used"),
                ("PLUGIN_WELL_KNOWN_DIR", "/nowhere", "PLUGIN_WELL_KNOWN_DIR must name the folder"),
            )
        ),
    ],
)
@pytest.mark.parametrize("command", ["serve", pytest.param("up", marks=pytest.mark.long)])
def test_what_is_wrong_is_one_line(
    start: Start, command: str, environment: dict[str, str], message: str
) -> None:
    process = start(command, **environment)
    out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out) == (2, "")
    assert err.startswith("error: ")
    assert message in err
    assert err.count("\n") == 1


def test_a_port_in_use_is_one_line(start: Start) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        process = start("up", "--port", str(port))
        _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 2
    assert err == (
        f"error: port {port} on 127.0.0.1 is in use; stop what listens there, or choose another "
        "with PLUGIN_PORT or --port\n"
    )


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_directory_is_one_line(start: Start, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir(mode=0o500)
    process = start("up")
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 2
    assert "it is read-only for this user" in err


def test_a_setting_that_is_not_known_is_a_warning(start: Start) -> None:
    # an address of another machine ends it before it serves, which saves two seconds
    process = start("up", PLUGIN_PROT="9", PLUGIN_HOST="203.0.113.77")
    _, err = process.communicate(timeout=PATIENCE)
    warning, refused = err.splitlines()
    assert warning.startswith("warning: PLUGIN_PROT is not a setting and is ignored; did you mean")
    assert refused.startswith("error: 203.0.113.77 ")


def test_a_port_below_1024_is_explained() -> None:
    error = PermissionError(13, "Permission denied")
    said = listening._why_not(error, "127.0.0.1", 80, Path("data"))
    assert "choose one from 1024 on" in said


def test_the_first_answer_waits_for_nobody(started: tuple[Running, Any]) -> None:
    """A request that comes while the service starts is answered, not refused."""
    assert started[1].result() == (200, {"status": "ok"})
