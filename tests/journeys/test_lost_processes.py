"""A parent that is killed, a worker that hangs: the service is soon as it was."""

import asyncio
import http.client
import re
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from pathlib import Path

import pytest

from tests.journeys.running import PATIENCE, Running, bearer, new_key, plugin, running, until
from tests.journeys.streaming import alive, children, streaming
from tests.sizes import sized

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")

HANGING = '''
"""An operation that blocks the event loop, as none should."""

import time

from fastapi import APIRouter

from plugin.operations import Reply, operation

router = APIRouter()


class Slept(Reply):
    """It is over."""

    seconds: int
    """How long it took."""


@router.post("/sleep", operation_id="sleep", summary="Sleep")
@operation(scope="todos:write")
async def sleep() -> Slept:
    """Sleep, for a test."""
    time.sleep(120)
    return Slept(seconds=120)
'''


def in_good_order(started: Running, workers: int) -> bool:
    """Return whether the service has found its port free, and has so many workers."""
    until(lambda: len(children(started.process.pid)) == workers)
    return "in use;" not in started.err


@pytest.mark.long  # in the gate, the workers serve when their parent is killed
def test_after_a_kill_while_its_workers_start_it_starts_on_its_port_at_once(tmp_path: Path) -> None:
    workers = ("serve", "--workers", "3")
    with running(tmp_path, *workers) as starting:
        starting.process.kill()
        starting.process.wait()
        with running(tmp_path, *workers, port=starting.address.port) as again:
            assert in_good_order(again, 3)


@pytest.mark.long  # in the gate, the next test waits for their end while a service starts
async def test_no_worker_outlives_a_killed_parent(tmp_path: Path) -> None:
    async with streaming(tmp_path, "--workers", "2", pieces=200) as service:
        stream = service.ask()
        await service.begun(1)
        lost = children(service.running.process.pid)
        assert len(lost) == 2
        service.running.process.kill()
        began = time.monotonic()
        while any(alive(pid) for pid in lost):
            assert time.monotonic() < began + 3, "a worker outlives its parent"
            await asyncio.sleep(0.05)
        assert (await stream).error is not None


async def test_after_a_kill_it_starts_again_on_its_port_at_once(tmp_path: Path) -> None:
    """A stream is under way: its workers end, and it keeps no port."""
    workers = sized(2, 3)
    async with streaming(tmp_path, "--workers", str(workers), pieces=200) as service:
        assert in_good_order(service.running, workers)
        stream, port = service.ask(), service.running.address.port
        await service.begun(1)
        lost = children(service.running.process.pid)
        service.running.process.kill()
        began = time.monotonic()
        entering = running(tmp_path, "serve", port=port)
        starting = asyncio.create_task(asyncio.to_thread(entering.__enter__))
        while any(alive(pid) for pid in lost):
            assert time.monotonic() < began + PATIENCE, "a worker outlives its parent"
            await asyncio.sleep(0.05)
        again = await starting
        try:
            assert (await stream).error is not None
            await asyncio.to_thread(refused_while_it_serves, tmp_path, again)
        finally:
            again.process.kill()
            await asyncio.to_thread(entering.__exit__, None, None, None)
        await asyncio.to_thread(refused_after_a_kill, tmp_path)


def refused_while_it_serves(directory: Path, started: Running) -> None:
    """A second start on the port of the service says that the service has it."""
    assert in_good_order(started, 1)
    refused = plugin(directory, "serve", "--port", str(started.address.port))
    assert refused.returncode == 2
    assert f"already (process {started.process.pid}); `plugin restart`" in refused.stderr


def refused_after_a_kill(directory: Path) -> None:
    """A start on a port that another program has waits for it, and not for long."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        refused = plugin(directory, "serve", "--port", port)
    said = refused.stderr.splitlines()
    assert (refused.returncode, len(said)) == (2, 2)
    assert re.search(
        rf"port {port} is in use, maybe by .* waiting for it, 5 seconds at most", said[0]
    )
    assert said[1].startswith(f"error: port {port} on 127.0.0.1 is in use; stop what listens there")


def test_a_worker_whose_event_loop_hangs_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "company.py").write_text(HANGING)
    settings = {
        "PLUGIN_OPERATIONS": "company",
        "PLUGIN_HANG_SECONDS": "5",
        "PYTHONPATH": str(tmp_path),
    }
    with running(tmp_path, "serve", settings=settings) as started:
        key = bearer(new_key(tmp_path, settings=settings))
        [hangs] = children(started.process.pid)
        with ThreadPoolExecutor(1) as threads:
            lost = threads.submit(started.address.call, "POST", "/sleep", key)
            until(lambda: hangs not in children(started.process.pid))
            with pytest.raises((ConnectionError, http.client.HTTPException)):
                lost.result()
        until(lambda: started.address.call("GET", "/todos", key).status == HTTPStatus.OK)
        said = until(
            lambda: "".join(str(one) for one in started.records() if "no sign" in str(one))
        )
    assert f"worker {hangs} gave no sign of life for 5 s and is ended" in said
    assert re.search(r"hangs: \S*company.py:\d+ in sleep", said), said
