"""A running service: its settings, its keys, its workers, and how it stops."""

import http.client
import re
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.journeys.in_process import plugin_here
from tests.journeys.late_weather import assert_a_stop_lets_it_finish
from tests.journeys.restartable import Restartable, restartable
from tests.journeys.running import (
    PATIENCE,
    Address,
    Answer,
    bearer,
    new_key,
    plugin,
    request,
    running,
    until,
)
from tests.journeys.streaming import sockets_of_children
from tests.open_meteo import OpenMeteo
from tests.sizes import sized

JSON = {"Content-Type": "application/json"}
KEY = re.compile(r"gpk_[0-9A-Za-z]{36}")
ONE_LINE = re.compile(r"error: [^\n]+\n")


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("PLUGIN_WELL_KNOWN_DIR", "/nowhere", "PLUGIN_WELL_KNOWN_DIR"),
        # in the gate, tests/test_settings.py and tests/cli/test_serve.py have what these say
        pytest.param("PLUGIN_PORT", "99999", "65535", marks=pytest.mark.long),
        pytest.param(
            "PLUGIN_OPERATIONS", "no_such_package", "no_such_package", marks=pytest.mark.long
        ),
        pytest.param("PLUGIN_PORT", "http", "65535", marks=pytest.mark.long),
        pytest.param("PLUGIN_WORKERS", "0", "1 to 32", marks=pytest.mark.long),
        pytest.param("PLUGIN_PUBLIC_URL", "plugin.example.com", "http", marks=pytest.mark.long),
        pytest.param(
            "PLUGIN_LOG_LEVEL", "loud", "debug, info, warning, error", marks=pytest.mark.long
        ),
        pytest.param("PLUGIN_TRUSTED_PROXIES", "10.0.0.0/64", "networks", marks=pytest.mark.long),
    ],
)
def test_a_wrong_setting_is_one_line_that_names_it(
    tmp_path: Path, name: str, value: str, allowed: str
) -> None:
    refused = plugin(tmp_path, "serve", settings={"PLUGIN_PORT": "0", name: value})
    assert refused.returncode == 2
    assert ONE_LINE.fullmatch(refused.stderr), refused.stderr
    assert name in refused.stderr
    assert allowed in refused.stderr


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Restartable]:
    """Two workers, little time for a stop, and a setting that is misspelled."""
    settings = {"PLUGIN_PUBLIC_ULR": "https://a.example", "PLUGIN_DRAIN_SECONDS": "1"}
    with restartable(tmp_path_factory.mktemp("served"), 2, settings) as started:
        yield started


def test_a_misspelled_setting_is_named_with_the_one_meant(service: Restartable) -> None:
    assert "PLUGIN_PUBLIC_ULR" in service.running.err
    assert "PLUGIN_PUBLIC_URL" in service.running.err


def test_keys_made_and_revoked_elsewhere_count_from_the_next_request(service: Restartable) -> None:
    connection = service.address.connect()
    for _ in range(2):
        key = new_key(service.directory)
        assert request(connection, "GET", "/todos", bearer(key)).status == 200
        assert plugin_here(service.directory, "keys", "revoke", key["id"]).returncode == 0
        refused = request(connection, "GET", "/todos", bearer(key))
        assert (refused.status, "revoked" in refused.json()["detail"]) == (401, True)
    connection.close()


def test_a_scope_is_asked_of_the_key(service: Restartable) -> None:
    reader = bearer(new_key(service.directory, "todos:read"))
    assert service.address.call("GET", "/todos", reader).status == 200
    refused = service.address.call("POST", "/todos", reader | JSON, '{"text": "Buy milk"}')
    assert refused.status == 403
    assert 'scope="todos:write"' in refused.headers["www-authenticate"]


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts connections in /proc")
def test_two_workers_serve_and_both_see_a_revocation(service: Restartable) -> None:
    key, pid = new_key(service.directory), service.running.process.pid
    until(lambda: len(sockets_of_children(pid)) == 2)
    before = sockets_of_children(pid)
    connections: list[http.client.HTTPConnection] = []
    newest: dict[int, http.client.HTTPConnection] = {}
    try:
        while len(newest) < 2:
            assert len(connections) < 400, "one worker took every connection"
            connections.append(service.address.connect())
            assert request(connections[-1], "GET", "/todos", bearer(key)).status == 200
            now = sockets_of_children(pid)
            newest |= {one: connections[-1] for one in now if now[one] > before[one]}
            before = now
        assert plugin_here(service.directory, "keys", "revoke", key["id"]).returncode == 0
        # the service ends connections that were idle for a while, so only the newest are asked
        answers = [request(one, "GET", "/todos", bearer(key)) for one in newest.values()]
    finally:
        for connection in connections:
            connection.close()
    assert [answer.status for answer in answers] == [401, 401]


def test_kill_loses_no_todo_that_was_acknowledged(service: Restartable) -> None:
    key = bearer(new_key(service.directory)) | JSON
    acknowledged: list[int] = []
    writers = [
        threading.Thread(target=add_until_cut_off, args=(service.address, key, acknowledged))
        for _ in range(4)
    ]
    for writer in writers:
        writer.start()
    until(lambda: len(acknowledged) >= 200)
    assert service.running.stop(signal.SIGKILL) == -signal.SIGKILL
    for writer in writers:
        writer.join(PATIENCE)
    service.stop()
    assert set(acknowledged) <= set(every_id(service.address, key))


def test_a_caller_that_does_not_read_does_not_hold_the_service_up(service: Restartable) -> None:
    connection = service.address.connect()
    connection.connect()
    # pipelined, so that answers pile up that the caller does not read
    connection.sock.sendall(b"GET /openapi.json HTTP/1.1\r\nhost: x\r\n\r\n" * 2000)
    time.sleep(1)
    began = time.monotonic()
    assert service.running.stop() == 0
    assert time.monotonic() - began < sized(20, 8)
    connection.close()
    service.stop()


def add_until_cut_off(address: Address, key: dict[str, str], acknowledged: list[int]) -> None:
    connection = address.connect()
    try:
        while True:
            added = request(connection, "POST", "/todos", key, '{"text": "Buy milk"}')
            assert added.status == 201
            acknowledged.append(added.json()["id"])
    except (ConnectionError, http.client.HTTPException):
        return
    finally:
        connection.close()


def every_id(address: Address, key: dict[str, str]) -> list[int]:
    found: list[int] = []
    after: int | None = 0
    while after is not None:
        page: Answer = address.call("GET", f"/todos?limit=100&after={after}", key)
        found += [todo["id"] for todo in page.json()["todos"]]
        after = page.json()["next_after"]
    return found


@pytest.mark.long  # in the gate, test_up.py has Ctrl-C
@pytest.mark.parametrize(
    ("how", "workers"), [(signal.SIGTERM, "1"), (signal.SIGINT, "1"), (signal.SIGTERM, "2")]
)
def test_a_stop_lets_the_request_under_way_finish(
    tmp_path: Path,
    open_meteo: OpenMeteo,
    weather: dict[str, str],
    how: signal.Signals,
    workers: str,
) -> None:
    with running(tmp_path, "serve", "--workers", workers, settings=weather) as started:
        assert_a_stop_lets_it_finish(started, new_key(tmp_path)["key"], open_meteo, how)
