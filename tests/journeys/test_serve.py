"""From an empty directory to a running service, and how it stops, on a user's machine."""

import http.client
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.journeys.running import (
    PATIENCE,
    PLUGIN,
    Address,
    Answer,
    Running,
    bearer,
    free_port,
    new_key,
    plugin,
    request,
    running,
    surroundings,
    until,
)
from tests.open_meteo import OpenMeteo

JSON = {"Content-Type": "application/json"}
KEY = re.compile(r"gpk_[0-9A-Za-z]{36}")
ONE_LINE = re.compile(r"error: [^\n]+\n")


def banner(started: Running) -> str:
    """What `plugin up` prints once it answers."""
    return until(lambda: started.out if "OPENAI_API_BASE" in started.out else "")


def test_up_prints_addresses_that_answer(tmp_path: Path) -> None:
    with running(tmp_path, "up") as started:
        printed = banner(started)
        base = f"http://127.0.0.1:{started.address.port}"
        for path in ("/.well-known/ai-plugin.json", "/openapi.json", "/docs"):
            assert f"{base}{path}\n" in printed
            assert started.address.call("GET", path).status == 200
        assert f"export OPENAI_API_BASE={base}/v1" in printed
        assert started.stop() == 0
        assert started.out.endswith("stopped\n")


def test_the_printed_key_opens_the_gate(tmp_path: Path) -> None:
    with running(tmp_path, "up") as started:
        key = KEY.findall(banner(started))
        assert len(key) == 1
        found = started.address.call("GET", "/todos", bearer({"key": key[0]}))
        assert (found.status, found.json()["total"]) == (200, 0)
        assert started.address.call("GET", "/todos").status == 401


@pytest.mark.skipif(not shutil.which("curl"), reason="needs curl")
def test_the_printed_curl_line_works_when_pasted(tmp_path: Path) -> None:
    directory = tmp_path / "it's a folder"
    directory.mkdir()
    with running(directory, "up") as started:
        line = next(line for line in banner(started).splitlines() if " curl " in line)
        pasted = line[line.index("curl") :]
        done = subprocess.run(  # noqa: S602 - pasting into a shell is what is tested
            f"{pasted} --silent --fail", shell=True, capture_output=True, text=True, check=True
        )
    assert '"todos":[]' in done.stdout


def test_a_second_start_says_where_the_key_lies(tmp_path: Path) -> None:
    with running(tmp_path, "up") as started:
        [key] = KEY.findall(banner(started))
    with running(tmp_path, "up") as started:
        printed = banner(started)
        assert not KEY.search(printed)
        named = re.search(r"in (/\S+)", printed)
        assert named
        file = Path(named[1])
        assert file.read_text().strip() == key
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert started.address.call("GET", "/todos", bearer({"key": key})).status == 200
    assert key not in started.err


def test_up_keeps_everything_in_the_data_directory(tmp_path: Path) -> None:
    data, here = tmp_path / "elsewhere" / "data", tmp_path / "here"
    here.mkdir()
    with running(here, "up", settings={"PLUGIN_DATA_DIR": str(data)}) as started:
        banner(started)
    assert {file.name for file in here.iterdir()} == {"out.txt", "err.txt"}
    assert "plugin.db" in {file.name for file in data.iterdir()}
    assert stat.S_IMODE(data.stat().st_mode) == 0o700


def test_a_port_in_use_is_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused = plugin(tmp_path, "up", "--port", str(port))
    assert refused.returncode == 2
    assert ONE_LINE.fullmatch(refused.stderr), refused.stderr
    assert str(port) in refused.stderr
    assert "PLUGIN_PORT" in refused.stderr
    assert not refused.stdout
    assert not list(tmp_path.iterdir())


def test_a_data_directory_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    directory = tmp_path / "locked"
    directory.mkdir(mode=0o555)
    refused = subprocess.run(  # noqa: S603 - our own command
        [*as_ordinary_user(), *PLUGIN, "up", "--port", str(free_port())],
        cwd=tmp_path,
        env=surroundings({"PLUGIN_DATA_DIR": str(directory / "data")}),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert refused.returncode == 2
    assert ONE_LINE.fullmatch(refused.stderr), refused.stderr
    assert str(directory) in refused.stderr
    assert "PLUGIN_DATA_DIR" in refused.stderr


def as_ordinary_user() -> list[str]:
    """What takes from root the right to pass over file modes; nothing for anybody else."""
    if os.geteuid() != 0:
        return []
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        pytest.skip("root passes over file modes, and setpriv is not here to stop it")
    return [setpriv, "--bounding-set=-dac_override,-dac_read_search"]


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("PLUGIN_PORT", "99999", "65535"),
        ("PLUGIN_PORT", "http", "65535"),
        ("PLUGIN_WORKERS", "0", "1 to 32"),
        ("PLUGIN_PUBLIC_URL", "plugin.example.com", "http"),
        ("PLUGIN_LOG_LEVEL", "loud", "debug, info, warning, error"),
        ("PLUGIN_TRUSTED_PROXIES", "10.0.0.0/64", "networks"),
        ("PLUGIN_WELL_KNOWN_DIR", "/nowhere", "PLUGIN_WELL_KNOWN_DIR"),
        ("PLUGIN_OPERATIONS", "no_such_package", "no_such_package"),
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


def test_a_misspelled_setting_is_named_with_the_one_meant(tmp_path: Path) -> None:
    with running(tmp_path, "serve", settings={"PLUGIN_PUBLIC_ULR": "https://a.example"}) as started:
        assert "PLUGIN_PUBLIC_ULR" in started.err
        assert "PLUGIN_PUBLIC_URL" in started.err


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
    open_meteo.delay = 1.0
    with (
        running(tmp_path, "serve", "--workers", workers, settings=weather) as started,
        ThreadPoolExecutor(1) as others,
    ):
        key = bearer(new_key(tmp_path))
        slow = others.submit(started.address.call, "GET", "/weather?location=Boston", key)
        until(lambda: any(path == "/v1/forecast" for path, _ in open_meteo.asked))
        assert started.stop(how) == 0
        answer = slow.result(PATIENCE)
    assert (answer.status, answer.json()["location"]) == (200, "Boston")
    assert "Traceback" not in started.err
    assert refuses_connections(started.address)


def refuses_connections(address: Address) -> bool:
    try:
        address.call("GET", "/healthz")
    except ConnectionRefusedError:
        return True
    return False


def test_keys_made_and_revoked_elsewhere_count_from_the_next_request(tmp_path: Path) -> None:
    with running(tmp_path, "serve") as started:
        connection = started.address.connect()
        for _ in range(2):
            key = new_key(tmp_path)
            assert request(connection, "GET", "/todos", bearer(key)).status == 200
            assert plugin(tmp_path, "keys", "revoke", key["id"]).returncode == 0
            refused = request(connection, "GET", "/todos", bearer(key))
            assert (refused.status, "revoked" in refused.json()["detail"]) == (401, True)
        connection.close()


def test_a_scope_is_asked_of_the_key(tmp_path: Path) -> None:
    with running(tmp_path, "serve") as started:
        reader = bearer(new_key(tmp_path, "todos:read"))
        assert started.address.call("GET", "/todos", reader).status == 200
        refused = started.address.call("POST", "/todos", reader | JSON, '{"text": "Buy milk"}')
    assert refused.status == 403
    assert 'scope="todos:write"' in refused.headers["www-authenticate"]


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts connections in /proc")
def test_two_workers_serve_and_both_see_a_revocation(tmp_path: Path) -> None:
    with running(tmp_path, "serve", "--workers", "2") as started:
        key = new_key(tmp_path)
        before = sockets_of_children(started.process.pid)
        connections: list[http.client.HTTPConnection] = []
        try:
            for _ in range(400):
                connections.append(started.address.connect())
                assert request(connections[-1], "GET", "/todos", bearer(key)).status == 200
                now = sockets_of_children(started.process.pid)
                if sum(now[child] > count for child, count in before.items()) == 2:
                    break
            else:
                pytest.fail("one worker took every connection")
            assert plugin(tmp_path, "keys", "revoke", key["id"]).returncode == 0
            answers = [request(one, "GET", "/todos", bearer(key)) for one in connections]
        finally:
            for connection in connections:
                connection.close()
        assert {answer.status for answer in answers} == {401}
        assert started.stop() == 0


def sockets_of_children(pid: int) -> dict[str, int]:
    """How many sockets each child process has open."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return {child: sum(map(_is_socket, Path(f"/proc/{child}/fd").iterdir())) for child in children}


def _is_socket(link: Path) -> bool:
    try:
        return str(link.readlink()).startswith("socket:")
    except FileNotFoundError:  # closed meanwhile
        return False


def test_kill_loses_no_todo_that_was_acknowledged(tmp_path: Path) -> None:
    with running(tmp_path, "serve") as started:
        key = bearer(new_key(tmp_path)) | JSON
        acknowledged: list[int] = []
        writers = [
            threading.Thread(target=add_until_cut_off, args=(started.address, key, acknowledged))
            for _ in range(4)
        ]
        for writer in writers:
            writer.start()
        until(lambda: len(acknowledged) >= 200)
        assert started.stop(signal.SIGKILL) == -signal.SIGKILL
        for writer in writers:
            writer.join(PATIENCE)
    with running(tmp_path, "serve") as started:
        assert set(acknowledged) <= set(every_id(started.address, key))


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
