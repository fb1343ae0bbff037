"""The plugin as a process of its own, started and called as its users do."""

import contextlib
import http.client
import json
import os
import random
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, TypeVar

from plugin.auth.keys import KeyStore
from plugin.storage.database import open_blocking, sqlite_path
from tests.migrated import place_database

PLUGIN = (sys.executable, "-m", "plugin")
T = TypeVar("T")

Settings = Mapping[str, str]

PATIENCE = 60.0
"""Seconds until a test gives up waiting; nothing here takes nearly as long."""


@dataclass(frozen=True)
class Answer:
    """What came back; header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


def request(
    connection: http.client.HTTPConnection,
    method: str,
    path: str,
    headers: Mapping[str, str] | None = None,
    body: Any = None,
) -> Answer:
    """One call on a connection that stays open."""
    connection.request(method, path, body, dict(headers or {}))
    response = connection.getresponse()
    names = {name.lower(): value for name, value in response.getheaders()}
    return Answer(response.status, names, response.read())


@dataclass(frozen=True)
class Address:
    """Where something listens. `source` is the address to call from."""

    port: int
    tls: ssl.SSLContext | None = None
    source: str = "127.0.0.1"
    host: str = "localhost"

    def connect(self) -> http.client.HTTPConnection:
        """A connection that has yet to open itself."""
        options: dict[str, Any] = {"timeout": PATIENCE, "source_address": (self.source, 0)}
        if self.tls is None:
            return http.client.HTTPConnection("127.0.0.1", self.port, **options)
        return http.client.HTTPSConnection(self.host, self.port, context=self.tls, **options)

    def call(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, body: Any = None
    ) -> Answer:
        """One call on a connection of its own."""
        connection = self.connect()
        try:
            return request(connection, method, path, headers, body)
        finally:
            connection.close()


class Running:
    """A process, what it has written so far, and where it listens."""

    def __init__(self, process: "subprocess.Popen[bytes]", port: int, out: Path, err: Path) -> None:
        self.process = process
        self.address = Address(port)
        self._out = out
        self._err = err

    @property
    def out(self) -> str:
        return self._out.read_text()

    @property
    def err(self) -> str:
        return self._err.read_text()

    def records(self) -> list[dict[str, Any]]:
        """The lines of its log that are whole."""
        lines = self.err.splitlines(keepends=True)
        return [json.loads(line) for line in lines if line.startswith("{") and line[-1] == "\n"]

    def record(self, request_id: str) -> dict[str, Any]:
        """The access log's record of a request, as soon as it is written."""
        return until(
            lambda: next((one for one in self.records() if one.get("request_id") == request_id), {})
        )

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to end; its exit code."""
        self.process.send_signal(how)
        return self.process.wait(PATIENCE)


@contextlib.contextmanager
def running(
    directory: Path, *arguments: str, settings: Settings | None = None, port: int | None = None
) -> Iterator[Running]:
    """`plugin …` in `directory`, ready to answer; it is ended afterwards, however the test ends.

    `serve` starts on a database that is migrated already, which saves half a second; `up`, the
    first command of a new user, makes its own.
    """
    port = port or free_port()
    if arguments[0] == "serve":
        prepare_data(directory, settings)
    out, err = directory / "out.txt", directory / "err.txt"
    with out.open("wb") as stdout, err.open("wb") as stderr:
        process = subprocess.Popen(  # noqa: S603 - our own command
            [*PLUGIN, *arguments, "--port", str(port)],
            cwd=directory,
            env=surroundings(settings),
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
        )
    started = Running(process, port, out, err)
    try:
        until(lambda: answers(started))
        yield started
    finally:
        if process.poll() is None:
            process.terminate()
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def answers(started: Running) -> bool:
    """Whether it can do its work; fails when it has ended instead."""
    assert started.process.poll() is None, started.out + started.err
    try:
        return started.address.call("GET", "/readyz").status == HTTPStatus.OK
    except ConnectionError:
        return False


def readiness(address: Address) -> int:
    """Return the status of `/readyz`, and 0 where the service accepts no connection."""
    try:
        return address.call("GET", "/readyz").status
    except ConnectionRefusedError:
        return 0


def plugin(
    directory: Path, *arguments: str, settings: Settings | None = None
) -> "subprocess.CompletedProcess[str]":
    """A `plugin` command that ends by itself."""
    return subprocess.run(  # noqa: S603 - our own command
        [*PLUGIN, *arguments],
        cwd=directory,
        env=surroundings(settings),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def new_key(directory: Path, *scopes: str, settings: Settings | None = None) -> dict[str, Any]:
    """A key as `plugin keys create` makes it, made in this process: id, name, key and scopes.

    It saves the second that the command takes; `tests/cli/test_keys.py` holds the command.
    """
    file = prepare_data(directory, settings)
    engine = open_blocking(f"sqlite:///{file}")
    try:
        made = KeyStore(engine, time.time).create("journey", scopes or ("*",))
    finally:
        engine.dispose()
    return asdict(made)


def prepare_data(directory: Path, settings: Settings | None = None) -> Path:
    """Make the data directory with a migrated database where there is none; its file."""
    given = settings or {}
    data = directory / given.get("PLUGIN_DATA_DIR", "data")
    url = given.get("PLUGIN_DATABASE_URL")
    file = data / "plugin.db" if url is None else directory / sqlite_path(url)
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    place_database(file)
    return file


def bearer(key: dict[str, Any]) -> dict[str, str]:
    return {"Authorization": f"Bearer {key['key']}"}


def surroundings(settings: Settings | None = None) -> dict[str, str]:
    """The environment of a user who has set nothing but `settings`, and wants no engine."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PLUGIN_")}
    # hundreds of services would hold 64 MiB of this machine's disk each
    ours = {"PLUGIN_ENGINE": "none", "PLUGIN_DISK_RESERVE": "0"}
    return kept | {"PYTHONUNBUFFERED": "1"} | ours | dict(settings or {})


def free_port() -> int:
    """A port where nothing listens, and that no connection is given for its own end."""
    while True:
        port = random.randrange(20_000, 32_000)  # noqa: S311 - no secret
        with socket.socket() as listener, contextlib.suppress(OSError):
            listener.bind(("127.0.0.1", port))
            return port


def until(find: Callable[[], T]) -> T:
    """What `find` gives, as soon as it gives something."""
    deadline = time.monotonic() + PATIENCE
    while not (found := find()):
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.02)
    return found
