"""A service that is told to stop: what is under way is answered, what takes too long hears so."""

import asyncio
import http.client
import json
import signal
import time
from pathlib import Path

import pytest

from tests.journeys.running import bearer, request, until
from tests.journeys.streaming import alive, children, streaming

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")


def test_streams_under_way_run_to_their_end(tmp_path: Path) -> None:
    async def run() -> None:
        async with streaming(tmp_path, "--workers", "2", pieces=15) as service:
            streams = [service.ask() for _ in range(10)]
            await service.begun(10)
            assert await asyncio.to_thread(service.running.stop) == 0
            answers = await asyncio.gather(*streams)
            assert [service.is_whole(one) for one in answers] == [True] * 10
            assert "Traceback" not in service.running.err

    asyncio.run(run())


def test_what_takes_longer_than_there_is_time_hears_so(tmp_path: Path) -> None:
    async def run() -> None:
        async with streaming(
            tmp_path, pieces=100, pause=0.2, settings={"PLUGIN_DRAIN_SECONDS": "1"}
        ) as service:
            streams = [service.ask() for _ in range(5)]
            whole = service.ask(stream=False)
            await service.begun(6)
            began = time.monotonic()
            assert await asyncio.to_thread(service.running.stop) == 0
            assert 1.0 < time.monotonic() - began < 6
            for one in await asyncio.gather(*streams):
                assert (one.status, one.done) == (200, False)
                assert "stopped while it answered" in one.error["message"]
            refused = await whole
            assert refused.status == 503
            assert "ask again" in refused.error["message"]
            records = [one for one in service.running.records() if one["event"] == "request"]
            asked = [one for one in records if one["path"] == "/v1/chat/completions"]
            assert len(asked) == 6
            assert [one["ended"] for one in asked if one["status"] == 200] == ["broken off"] * 5
            assert "Traceback" not in service.running.err

    asyncio.run(run())


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_at_once(tmp_path: Path, how: signal.Signals) -> None:
    async def run() -> None:
        async with streaming(tmp_path, pieces=200, pause=0.2) as service:
            stream = service.ask()
            await service.begun(1)
            service.running.process.send_signal(how)
            await asyncio.sleep(1.0)
            assert service.running.process.poll() is None
            began = time.monotonic()
            assert await asyncio.to_thread(service.running.stop, how) == 0
            assert time.monotonic() - began < 5
            assert (await stream).error["type"] == "server_error"
            assert "Traceback" not in service.running.err

    asyncio.run(run())


def test_a_caller_who_does_not_read_keeps_nobody_up(tmp_path: Path) -> None:
    async def run() -> None:
        async with streaming(
            tmp_path, pieces=1, pause=0, settings={"PLUGIN_DRAIN_SECONDS": "1"}
        ) as service:
            connection = service.running.address.connect()
            connection.connect()
            # pipelined, so that answers pile up which nobody takes
            connection.sock.sendall(b"GET /openapi.json HTTP/1.1\r\nhost: x\r\n\r\n" * 2000)
            await asyncio.sleep(1)
            began = time.monotonic()
            assert await asyncio.to_thread(service.running.stop) == 0
            assert time.monotonic() - began < 8
            connection.close()

    asyncio.run(run())


def test_while_it_delays_it_answers_and_says_that_it_is_not_ready(tmp_path: Path) -> None:
    async def run() -> None:
        async with streaming(tmp_path, settings={"PLUGIN_DRAIN_DELAY": "2"}) as service:
            service.running.process.terminate()
            address, key = service.running.address, bearer({"key": service.key})

            def not_ready() -> bool:
                return address.call("GET", "/readyz").status == 503

            await asyncio.to_thread(until, not_ready)
            answer = await asyncio.to_thread(address.call, "GET", "/readyz")
            assert json.loads(answer.body) == {"status": "draining"}
            todos = await asyncio.to_thread(address.call, "GET", "/todos", key)
            assert (todos.status, todos.headers["connection"]) == (200, "close")
            assert await asyncio.to_thread(service.running.process.wait, 20) == 0
            with pytest.raises(ConnectionRefusedError):
                await asyncio.to_thread(address.call, "GET", "/readyz")

    asyncio.run(run())


def test_an_open_connection_ends_with_its_next_answer(tmp_path: Path) -> None:
    async def run() -> None:
        async with streaming(tmp_path, pieces=40) as service:
            connection = service.running.address.connect()
            await asyncio.to_thread(request, connection, "GET", "/healthz")
            idle = service.running.address.connect()
            await asyncio.to_thread(request, idle, "GET", "/healthz")
            stream = service.ask()
            await service.begun(1)
            service.running.process.terminate()
            await asyncio.sleep(0.15)
            answer = await asyncio.to_thread(request, connection, "GET", "/healthz")
            assert answer.headers["connection"] == "close"
            await asyncio.sleep(1.2)
            idle.auto_open = 0
            with pytest.raises((ConnectionError, http.client.HTTPException)):
                await asyncio.to_thread(request, idle, "GET", "/healthz")
            assert service.is_whole(await stream)

    asyncio.run(run())


def test_nobody_outlives_a_killed_parent(tmp_path: Path) -> None:
    async def run() -> None:
        async with streaming(tmp_path, "--workers", "2", pieces=200) as service:
            stream = service.ask()
            await service.begun(1)
            workers = children(service.running.process.pid)
            assert len(workers) == 2
            began = time.monotonic()
            service.running.process.kill()
            while any(alive(pid) for pid in workers):
                assert time.monotonic() < began + 10, "a worker outlives its parent"
                await asyncio.sleep(0.05)
            assert time.monotonic() - began < 3
            assert (await stream).error is not None

    asyncio.run(run())
