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

from tests.journeys.running import bearer, new_key, plugin, running, until
from tests.journeys.streaming import children, streaming

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


@pytest.mark.parametrize("settled", [True, False])
def test_after_a_kill_it_starts_again_on_its_port_at_once(tmp_path: Path, settled: bool) -> None:
    """Whether its workers serve by then, or are still starting."""
    with running(tmp_path, "serve", "--workers", "3") as killed:
        port = killed.address.port
        if settled:
            until(lambda: len(children(killed.process.pid)) == 3)
            time.sleep(1)
        killed.process.kill()
        killed.process.wait()
        with running(tmp_path, "serve", "--workers", "3", port=port) as again:
            until(lambda: len(children(again.process.pid)) == 3)
            assert "in use;" not in again.err


def test_a_stream_under_way_keeps_no_port(tmp_path: Path) -> None:
    async def run() -> None:
        async with streaming(tmp_path, "--workers", "2", pieces=200) as service:
            stream = service.ask()
            await service.begun(1)
            service.running.process.kill()
            port = service.running.address.port
            again = running(tmp_path, "serve", port=port)
            await asyncio.to_thread(again.__enter__)
            await asyncio.to_thread(again.__exit__, None, None, None)
            assert (await stream).error is not None

    asyncio.run(run())


def test_a_port_that_another_has_is_waited_for_after_a_kill_and_not_for_long(
    tmp_path: Path,
) -> None:
    with running(tmp_path, "serve") as killed:
        killed.process.kill()
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        refused = plugin(tmp_path, "serve", "--port", port)
    said = refused.stderr.splitlines()
    assert (refused.returncode, len(said)) == (2, 2)
    assert re.search(
        rf"port {port} is in use, maybe by .* waiting for it, 5 seconds at most", said[0]
    )
    assert said[1].startswith(f"error: port {port} on 127.0.0.1 is in use; stop what listens there")


def test_a_port_that_this_service_has_itself_is_said_to_be_so(tmp_path: Path) -> None:
    with running(tmp_path, "serve") as started:
        refused = plugin(tmp_path, "serve", "--port", str(started.address.port))
        assert refused.returncode == 2
        assert f"already (process {started.process.pid}); `plugin restart`" in refused.stderr


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
