"""All workers are replaced while streams flow: none is dropped."""

import asyncio
import itertools
import os
import signal
from pathlib import Path

import pytest

from tests.clients.event_stream import Answered
from tests.journeys.running import plugin, until
from tests.journeys.streaming import Streaming, children, streaming

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")

ROUNDS = int(os.environ.get("RESTARTS", "2"))
STREAMS = int(os.environ.get("STREAMS", "30"))


async def asking(service: Streaming, stop: asyncio.Event) -> list[Answered]:
    """One caller who asks again and again."""
    answered = list[Answered]()
    while not stop.is_set():
        answered.append(await service.ask())
    return answered


async def restart(service: Streaming, command: str = "restart") -> None:
    done = await asyncio.to_thread(plugin, service.directory, command)
    assert (done.returncode, done.stderr) == (0, ""), done


def workers(service: Streaming) -> list[int]:
    return children(service.running.process.pid)


def test_no_stream_is_dropped(tmp_path: Path) -> None:
    async def run() -> None:
        async with streaming(tmp_path, "--workers", "2", pieces=15) as service:
            stop, seen = asyncio.Event(), [set(workers(service))]
            callers = [asyncio.create_task(asking(service, stop)) for _ in range(STREAMS)]
            await asyncio.sleep(1)
            for _ in range(ROUNDS):
                await restart(service)
                seen.append(set(workers(service)))
            stop.set()
            answers = list(itertools.chain(*await asyncio.gather(*callers)))
            assert len(answers) > STREAMS
            assert all(map(service.is_whole, answers))
            for before, after in itertools.pairwise(seen):
                assert len(after - before) == 2
            assert "Traceback" not in service.running.err

    asyncio.run(run())


def test_a_killed_worker_is_replaced_and_the_others_answer(tmp_path: Path) -> None:
    async def run() -> None:
        async with streaming(tmp_path, "--workers", "2", pieces=2) as service:
            until(lambda: len(workers(service)) == 2)
            await service.ask()
            before = set(workers(service))
            os.kill(min(before), signal.SIGKILL)
            for _ in range(20):
                assert service.is_whole(await service.ask())
            now = await asyncio.to_thread(
                until, lambda: (found := set(workers(service))) - before and found
            )
            assert max(before) in now
            assert "died (signal 9)" in service.running.err

    asyncio.run(run())


def test_a_worker_that_is_told_to_stop_drains_and_is_replaced(tmp_path: Path) -> None:
    async def run() -> None:
        async with streaming(tmp_path, pieces=40) as service:
            [before] = workers(service)
            stream = service.ask()
            await service.begun(1)
            os.kill(before, signal.SIGTERM)
            assert service.is_whole(await stream)
            assert service.is_whole(await service.ask())
            assert before not in workers(service)

    asyncio.run(run())


def test_a_signal_restarts_as_well(tmp_path: Path) -> None:
    async def run() -> None:
        async with streaming(tmp_path) as service:
            [before] = workers(service)
            service.running.process.send_signal(signal.SIGUSR2)
            await asyncio.to_thread(until, lambda: [before] != workers(service))
            await asyncio.to_thread(until, lambda: before not in workers(service))
            assert service.is_whole(await service.ask())

    asyncio.run(run())


def test_without_a_service_there_is_nothing_to_restart(tmp_path: Path) -> None:
    async def run() -> None:
        async with streaming(tmp_path):
            pass

    refused = plugin(tmp_path, "restart")
    assert refused.returncode == 2
    assert "no service runs on the data directory data" in refused.stderr
    asyncio.run(run())
    # one that ended, and one that was killed
    assert plugin(tmp_path, "restart").returncode == 2
    (tmp_path / "data" / "service.json").write_text('{"pid": 1}')
    assert plugin(tmp_path, "reload").returncode == 2
