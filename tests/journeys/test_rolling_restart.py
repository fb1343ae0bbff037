"""Workers are replaced and stopped while streams flow: no stream is dropped."""

import asyncio
import itertools
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.event_stream import Answered
from tests.journeys.restartable import Restartable, restartable
from tests.journeys.running import bearer, plugin, readiness, request, until
from tests.journeys.streaming import Shared, Streaming, open_files, sockets_of_children
from tests.journeys.upstreams import Upstreams
from tests.sizes import sized

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")

ROUNDS = sized(1, 2)
CALLERS = sized(10, 30)


@pytest.fixture(scope="module")
def upstreams() -> Upstreams:
    return Upstreams("restarted", "killed", "told", "signalled", "stopped")


@pytest.fixture(scope="module")
def restarted(
    tmp_path_factory: pytest.TempPathFactory, upstreams: Upstreams
) -> Iterator[Restartable]:
    """Two workers, which stop with a delay; each test replaces or stops them."""
    settings = {
        "PLUGIN_UPSTREAMS": json.dumps(upstreams.settings()),
        "PLUGIN_DRAIN_DELAY": "4",
    }
    with restartable(tmp_path_factory.mktemp("rolling"), 2, settings) as started:
        yield started


@pytest.fixture(scope="module")
def service(restarted: Restartable, upstreams: Upstreams) -> Shared:
    return Shared(restarted, upstreams)


def writer_lock(directory: Path) -> Path:
    """Return what the parent holds while it writes the ledger for its workers."""
    return directory / "data" / "journal" / "writer.lock"


async def asking(streams: Streaming, stop: asyncio.Event) -> list[Answered]:
    """Ask again and again, as one caller does."""
    answered = list[Answered]()
    while not stop.is_set():
        answered.append(await streams.ask())
    return answered


async def test_no_stream_is_dropped(service: Shared) -> None:
    async with service.streaming("restarted", pieces=15) as streams:
        await asyncio.to_thread(until, lambda: len(service.workers) == 2)
        lock = writer_lock(service.directory)
        await asyncio.to_thread(until, lambda: lock in open_files(service.running.process.pid))
        stop, seen = asyncio.Event(), [set(service.workers)]
        callers = [asyncio.create_task(asking(streams, stop)) for _ in range(CALLERS)]
        await streams.begun(CALLERS)
        for _ in range(ROUNDS):
            done = await asyncio.to_thread(plugin, service.directory, "restart")
            assert (done.returncode, done.stderr) == (0, ""), done
            seen.append(set(service.workers))
        stop.set()
        answers = list(itertools.chain(*await asyncio.gather(*callers)))
        assert len(answers) > CALLERS
        assert all(map(streams.is_whole, answers))
        for before, after in itertools.pairwise(seen):
            assert len(after - before) == 2
        assert "Traceback" not in service.running.err


async def test_a_killed_worker_is_replaced_and_the_others_answer(service: Shared) -> None:
    async with service.streaming("killed", pieces=2, pause=sized(0.02, 0.1)) as streams:
        await asyncio.to_thread(until, lambda: len(service.workers) == 2)
        await streams.ask()
        before = set(service.workers)
        os.kill(min(before), signal.SIGKILL)
        for _ in range(20):
            assert streams.is_whole(await streams.ask())
        now = await asyncio.to_thread(
            until, lambda: (found := set(service.workers)) - before and found
        )
        assert max(before) in now
        assert "died (signal 9)" in service.running.err


async def test_a_worker_that_is_told_to_stop_drains_and_is_replaced(service: Shared) -> None:
    async with service.streaming("told", pieces=40) as streams:
        await asyncio.to_thread(until, lambda: len(service.workers) == 2)
        pid = service.running.process.pid
        before = sockets_of_children(pid)
        stream = streams.ask()
        await streams.begun(1)
        now = sockets_of_children(pid)
        told = max(before, key=lambda worker: now[worker] - before[worker])
        assert now[told] > before[told], "this worker has the stream"
        os.kill(told, signal.SIGTERM)
        assert streams.is_whole(await stream)
        assert streams.is_whole(await streams.ask())
        await asyncio.to_thread(
            until, lambda: told not in service.workers and len(service.workers) == 2
        )


@pytest.mark.long  # `plugin restart`, in the gate, sends the same signal
async def test_a_signal_restarts_as_well(service: Shared) -> None:
    async with service.streaming("signalled") as streams:
        await asyncio.to_thread(until, lambda: len(service.workers) == 2)
        before = set(service.workers)
        service.running.process.send_signal(signal.SIGUSR2)
        await asyncio.to_thread(until, lambda: len(set(service.workers) - before) == 2)
        await asyncio.to_thread(until, lambda: not before & set(service.workers))
        assert streams.is_whole(await streams.ask())


async def test_a_stop_answers_what_is_under_way(service: Shared, restarted: Restartable) -> None:
    async with service.streaming("stopped", pieces=120) as streams:
        started = service.running
        address, key = started.address, bearer({"key": streams.key})
        asked = [streams.ask() for _ in range(10)]
        await streams.begun(10)
        used, idle = address.connect(), address.connect()
        for connection in (used, idle):
            await asyncio.to_thread(request, connection, "GET", "/healthz")
        started.process.terminate()
        # for as long as the delay lasts, the service answers, and says that it is not ready
        await asyncio.to_thread(until, lambda: readiness(address) == 503)
        answer = await asyncio.to_thread(address.call, "GET", "/readyz")
        assert answer.json() == {"status": "draining"}
        todos = await asyncio.to_thread(address.call, "GET", "/todos", key)
        assert (todos.status, todos.headers["connection"]) == (200, "close")
        answer = await asyncio.to_thread(request, used, "GET", "/healthz")
        assert answer.headers["connection"] == "close"
        # then it accepts no connection, and one without a request ends
        await asyncio.to_thread(until, lambda: readiness(address) == 0)
        assert await asyncio.to_thread(idle.sock.recv, 1) == b""
        assert not any(one.done() for one in asked)
        # and the streams run to their end
        answers = await asyncio.gather(*asked)
        assert [streams.is_whole(one) for one in answers] == [True] * 10
        assert await asyncio.to_thread(started.process.wait, 20) == 0
        # what the workers wrote down is in the ledger
        assert not list(writer_lock(service.directory).parent.glob("*.log"))
        assert "Traceback" not in started.err
        for connection in (used, idle):
            connection.close()
        restarted.stop()
