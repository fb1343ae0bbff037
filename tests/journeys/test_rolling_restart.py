"""All workers are replaced while streams flow: none is dropped."""

import asyncio
import itertools
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.event_stream import Answered
from tests.journeys.running import plugin, until
from tests.journeys.streaming import Shared, Streaming, shared
from tests.sizes import sized

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")

ROUNDS = sized(1, 2)
CALLERS = sized(10, 30)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shared]:
    """Two workers; each test replaces them."""
    directory = tmp_path_factory.mktemp("rolling")
    with shared(directory, 2, "restarted", "killed", "told", "signalled") as started:
        yield started


async def asking(streams: Streaming, stop: asyncio.Event) -> list[Answered]:
    """Ask again and again, as one caller does."""
    answered = list[Answered]()
    while not stop.is_set():
        answered.append(await streams.ask())
    return answered


async def test_no_stream_is_dropped(service: Shared) -> None:
    async with service.streaming("restarted", pieces=15) as streams:
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
        before = service.workers
        stream = streams.ask()
        await streams.begun(1)
        for pid in before:  # either may have the stream
            os.kill(pid, signal.SIGTERM)
        assert streams.is_whole(await stream)
        assert streams.is_whole(await streams.ask())
        await asyncio.to_thread(until, lambda: not set(before) & set(service.workers))


@pytest.mark.long  # `plugin restart`, in the gate, sends the same signal
async def test_a_signal_restarts_as_well(service: Shared) -> None:
    async with service.streaming("signalled") as streams:
        await asyncio.to_thread(until, lambda: len(service.workers) == 2)
        before = set(service.workers)
        service.running.process.send_signal(signal.SIGUSR2)
        await asyncio.to_thread(until, lambda: len(set(service.workers) - before) == 2)
        await asyncio.to_thread(until, lambda: not before & set(service.workers))
        assert streams.is_whole(await streams.ask())
