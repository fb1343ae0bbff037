"""Connections that send nothing or half a request: they end in time, and others are answered."""

import json
import resource
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.attacks.raw_http import Raw
from tests.journeys.running import Running, bearer, new_key, running, until

HOST = b"Host: a.example\r\n"
HEALTHZ = b"GET /healthz HTTP/1.1\r\n" + HOST + b"\r\n"
TIMES = {"PLUGIN_HEADER_SECONDS": "1", "PLUGIN_BODY_SECONDS": "1", "PLUGIN_IDLE_SECONDS": "1.5"}
DESCRIPTORS = 256


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("idle")


@pytest.fixture(scope="module")
def service(directory: Path) -> Iterator[Running]:
    """A service with short times, which may have 256 descriptors."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, hard))
    try:
        with running(directory, "serve", settings=TIMES) as started:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            yield started
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_what_takes_too_long_is_ended(service: Running, directory: Path) -> None:
    key = new_key(directory)["key"].encode()
    post = b"POST /todos HTTP/1.1\r\nAuthorization: Bearer %b\r\n" % key + HOST
    json_body = post + b"Content-Type: application/json\r\nContent-Length: 9\r\n\r\n{"
    refused = b"POST /todos HTTP/1.1\r\n" + HOST + b"Content-Length: 9\r\n\r\n{"
    with ExitStack() as stack:
        silent, half, body, early, idle = (
            stack.enter_context(Raw(service.address.port)) for _ in range(5)
        )
        began = time.monotonic()
        half.send(b"GET /v1/models HTTP/1.1\r\n")
        body.send(json_body)
        early.send(refused)
        idle.send(HEALTHZ)
        assert idle.answer().status == 200
        assert early.answer().status == 401
        for late, code in ((half, "error"), (body, "code")):
            answer = late.answer()
            assert (answer.status, answer.headers["connection"]) == (408, "close")
            assert code in json.loads(answer.body), answer
            assert answer.headers["x-request-id"]
        assert all(one.ended() for one in (silent, half, body, early, idle))
        assert 0.9 < time.monotonic() - began < 15


def test_a_body_that_comes_slowly_is_read(service: Running, directory: Path) -> None:
    post = (
        b"POST /todos HTTP/1.1\r\nAuthorization: Bearer %b\r\n" % new_key(directory)["key"].encode()
    )
    told = b'{"text": "a"}'
    with Raw(service.address.port) as raw:
        raw.send(post + HOST + b"Content-Type: application/json\r\nContent-Length: 13\r\n\r\n")
        for start in range(0, len(told), 4):
            time.sleep(0.5)
            raw.send(told[start : start + 4])
        assert raw.answer().status == 201


def test_with_few_descriptors_the_oldest_idle_connections_make_room(
    service: Running, directory: Path
) -> None:
    operator = bearer(new_key(directory))
    port = service.address.port
    with ExitStack() as stack:
        for number in range(600):
            one = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=20))
            if number % 2:
                one.sendall(b"GET / HTTP/1.1\r\n")
            if number % 100 == 99:
                assert service.address.call("GET", "/readyz").status == 200
                assert service.address.call("GET", "/todos", operator).status == 200
    lines = until(
        lambda: [one for one in service.records() if "descriptors" in one.get("message", "")]
    )
    assert len(lines) <= 2, lines
    assert service.address.call("GET", "/readyz").status == 200


def test_a_caller_that_never_reads_is_ended_and_a_slow_one_is_not(
    service: Running, directory: Path
) -> None:
    key = new_key(directory)
    size = 16 * 1_048_576
    form = {**bearer(key), "Content-Type": "multipart/form-data; boundary=x"}
    body = FORM % bytes(size)
    file = service.address.call("POST", "/v1/files", form, body).json()["id"].encode()
    content = b"GET /v1/files/%b/content HTTP/1.1\r\nAuthorization: Bearer %b\r\n" % (
        file,
        key["key"].encode(),
    )
    with _small_window(service) as silent, _small_window(service) as slow:
        for one in (silent, slow):
            one.sendall(content + HOST + b"\r\n")
        read, until_now = 0, time.monotonic()
        while time.monotonic() < until_now + 5:
            read += len(slow.recv(16_384))
            time.sleep(0.01)
        while read < size and (more := slow.recv(1_048_576)):
            read += len(more)
        assert read > size
        silent.settimeout(1)
        assert _rest(silent) < size


FORM = (
    b'--x\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nuser_data\r\n'
    b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n%b\r\n--x--\r\n'
)


def _small_window(service: Running) -> socket.socket:
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
    made.settimeout(20)
    made.connect(("127.0.0.1", service.address.port))
    return made


def _rest(connection: socket.socket) -> int:
    """How many bytes come until the connection ends; it must."""
    read = 0
    try:
        while more := connection.recv(1_048_576):
            read += len(more)
    except ConnectionResetError:
        pass
    return read


def test_with_all_connections_busy_operators_are_answered(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, hard))
    with ExitStack() as stack:
        try:
            service = stack.enter_context(running(tmp_path, "serve"))
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        keys = [new_key(tmp_path)["key"].encode() for _ in range(2)]
        busy = []
        for number in range(300):
            one = stack.enter_context(Raw(service.address.port))
            one.send(
                b"POST /todos HTTP/1.1\r\nAuthorization: Bearer %b\r\n" % keys[number % 2]
                + b"Content-Type: application/json\r\nContent-Length: 13\r\n"
                + HOST
                + b"\r\n{"
            )
            busy.append(one)
        refused = busy.pop().answer()
        assert (refused.status, refused.headers["connection"]) == (503, "close")
        assert json.loads(refused.body)["code"] == "overloaded"
        for _ in range(10):
            began = time.monotonic()
            assert service.address.call("GET", "/readyz").status == 200
            assert time.monotonic() - began < 3
        for one in busy[:100]:
            one.send(b'"text": "a"}')
            assert one.answer().status == 201
        caller = {"Authorization": f"Bearer {keys[0].decode()}"}
        assert service.address.call("GET", "/todos", caller).status == 200


MANY = 10_000


@pytest.mark.long
def test_ten_thousand_idle_connections(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MANY * 2
    if hard != resource.RLIM_INFINITY and hard < wanted:
        pytest.skip(f"only {hard} file descriptors are allowed here; {wanted} are needed")
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    try:
        with running(tmp_path, "serve") as service, ExitStack() as stack:
            before = _memory(service)
            for _ in range(MANY):
                one = socket.create_connection(("127.0.0.1", service.address.port), timeout=20)
                stack.enter_context(one)
                one.sendall(HEALTHZ)
                assert one.recv(4_096).startswith(b"HTTP/1.1 200")
            began = time.monotonic()
            assert service.address.call("GET", "/readyz").status == 200
            assert time.monotonic() - began < 2
            assert _memory(service) - before <= 150 * 1_048_576
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def _memory(service: Running) -> int:
    """The resident bytes of the service's processes together."""
    found = 0
    for pid in (service.process.pid, *_children(service.process.pid)):
        status = Path(f"/proc/{pid}/status").read_text()
        (line,) = (one for one in status.splitlines() if one.startswith("VmRSS"))
        found += int(line.split()[1]) * 1_024
    return found


def _children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return [int(child) for task in tasks for child in (task / "children").read_text().split()]
