"""Thousands of odd Authorization values over a live port: no wrong verdict, no 5xx, still alive."""

import re
import socket
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import pytest

from plugin.auth.keys import KeyStore
from plugin.storage.database import open_blocking
from tests.clients.gpt_service import GptService
from tests.clients.odd_credentials import odd_values
from tests.journeys.running import (
    PATIENCE,
    Address,
    Running,
    bearer,
    new_key,
)
from tests.sizes import sized

COUNT = sized(600, 10_000)
SEED = 20261123
STATUS = re.compile(rb"^HTTP/1\.1 (\d{3}) ", re.MULTILINE)


class Wire:
    """A connection that is kept while the service keeps it; bytes go out as they are."""

    def __init__(self, address: Address) -> None:
        self._address = ("127.0.0.1", address.port)
        self._open: tuple[socket.socket, BinaryIO] | None = None

    def ask(self, *values: bytes) -> list[int]:
        """The statuses of what comes back for one request with these Authorization headers."""
        headers = b"".join(b"Authorization: " + value + b"\r\n" for value in values)
        if any(end in value for value in values for end in (b"\r", b"\n")):
            # a value that ends the line may end the request as well: whatever comes back counts
            return self._ask_once(b"Connection: close\r\n" + headers)
        connection, reader = self._open = self._open or self._connect()
        connection.sendall(_request(headers))
        return [self._read_answer(reader)]

    def close(self) -> None:
        if self._open is not None:
            for end in reversed(self._open):
                end.close()
        self._open = None

    def _connect(self) -> tuple[socket.socket, BinaryIO]:
        connection = socket.create_connection(self._address, PATIENCE)
        return connection, connection.makefile("rb")

    def _read_answer(self, reader: BinaryIO) -> int:
        status = int(reader.readline().split(b" ")[1])
        lines = iter(reader.readline, b"\r\n")
        headers = dict(line.lower().rstrip().split(b": ", 1) for line in lines)
        if status == 401:
            assert headers[b"www-authenticate"].startswith(b'bearer realm="gpt-plugin"')
        if headers.get(b"connection") == b"close":
            self.close()
        else:
            reader.read(int(headers[b"content-length"]))
        return status

    def _ask_once(self, headers: bytes) -> list[int]:
        with socket.create_connection(self._address, PATIENCE) as connection:
            connection.sendall(_request(headers))
            received = b"".join(iter(lambda: _receive(connection), b""))
        return [int(status) for status in STATUS.findall(received)]


def _request(headers: bytes) -> bytes:
    return b"GET /todos HTTP/1.1\r\nHost: localhost\r\n" + headers + b"\r\n"


def _receive(connection: socket.socket) -> bytes:
    try:
        return connection.recv(65_536)
    except ConnectionResetError:
        return b""


@contextmanager
def wire(address: Address) -> Iterator[Wire]:
    opened = Wire(address)
    try:
        yield opened
    finally:
        opened.close()


def closed_key(directory: Path, how: str) -> str:
    """A key that has opened the gate once: `revoke` or `rotate` has closed it."""
    made = new_key(directory)
    engine = open_blocking(f"sqlite:///{directory / 'data' / 'plugin.db'}")
    try:
        keys = KeyStore(engine, time.time)
        keys.revoke(made["id"]) if how == "revoke" else keys.rotate(made["id"])
    finally:
        engine.dispose()
    return str(made["key"])


@pytest.fixture(scope="module")
def here(gpt: GptService) -> Path:
    return gpt.directory


@pytest.fixture(scope="module")
def service(gpt: GptService) -> Running:
    return gpt.running


def test_no_odd_value_gets_a_wrong_verdict(service: Running, here: Path, tmp_path: Path) -> None:
    with wire(service.address) as line:
        key = new_key(here)["key"]
        others = [closed_key(here, "revoke"), closed_key(here, "rotate"), new_key(tmp_path)["key"]]
        seen: Counter[tuple[bool, int]] = Counter()
        for value, opens in odd_values(COUNT, key, others, SEED):
            statuses = line.ask(value)
            seen.update((opens, status) for status in statuses)
            assert statuses, value
            assert (set(statuses) == {200}) if opens else set(statuses) <= {400, 401}, value
        assert service.address.call("GET", "/todos", bearer({"key": key})).status == 200
    # the verdicts were reached at the gate, not by a parser that closed the door on everything
    assert seen[True, 200] > COUNT / 20
    assert seen[False, 401] > COUNT / 2
    assert seen[False, 400]
    assert key not in service.err
    assert "Traceback" not in service.err


@pytest.mark.parametrize("first", [True, False])
def test_two_credentials_are_none(service: Running, here: Path, first: bool) -> None:
    with wire(service.address) as line:
        good = f"Bearer {new_key(here)['key']}".encode()
        assert line.ask(good) == [200]
        for other in (good, b"", b"Basic YTpi", b"Bearer nothing"):
            assert line.ask(*((good, other) if first else (other, good))) == [401]
