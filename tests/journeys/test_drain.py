"""A service that is told to stop: what is under way is answered, what takes too long hears so."""

import asyncio
import signal
import time
from http.client import HTTPConnection
from pathlib import Path

import pytest

from tests.journeys.running import PATIENCE, Address, Answer, bearer, request, until
from tests.journeys.streaming import streaming
from tests.sizes import sized

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")


def readiness(address: Address) -> int:
    """Return the status of `/readyz`, and 0 where the service accepts no connection."""
    try:
        return address.call("GET", "/readyz").status
    except ConnectionRefusedError:
        return 0


def asked_when_closed(connection: HTTPConnection) -> Answer:
    """Ask on an open connection as soon as the service accepts no other."""
    until(lambda: readiness(Address(connection.port)) == 0)
    return request(connection, "GET", "/healthz")


async def test_what_is_under_way_is_answered(tmp_path: Path) -> None:
    settings = {"PLUGIN_DRAIN_DELAY": "4"}
    async with streaming(tmp_path, "--workers", "2", pieces=120, settings=settings) as service:
        address, key = service.running.address, bearer({"key": service.key})
        streams = [service.ask() for _ in range(10)]
        await service.begun(10)
        used, idle = address.connect(), address.connect()
        for connection in (used, idle):
            await asyncio.to_thread(request, connection, "GET", "/healthz")
        service.running.process.terminate()
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
        assert not any(stream.done() for stream in streams)
        # and the streams run to their end
        answers = await asyncio.gather(*streams)
        assert [service.is_whole(one) for one in answers] == [True] * 10
        assert await asyncio.to_thread(service.running.process.wait, 20) == 0
        assert "Traceback" not in service.running.err
        for connection in (used, idle):
            connection.close()


async def test_what_takes_longer_than_there_is_time_hears_so(tmp_path: Path) -> None:
    settings = {"PLUGIN_DRAIN_SECONDS": "2"}
    async with streaming(tmp_path, pieces=200, pause=0.2, settings=settings) as service:
        streams = [service.ask() for _ in range(5)]
        whole = service.ask(stream=False)
        await service.begun(6)
        late = service.running.address.connect()
        await asyncio.to_thread(request, late, "GET", "/healthz")
        began = time.monotonic()
        service.running.process.terminate()
        # a request that is on its way on an open connection is answered
        answer = await asyncio.to_thread(asked_when_closed, late)
        assert answer.headers["connection"] == "close"
        assert await asyncio.to_thread(service.running.process.wait, PATIENCE) == 0
        assert 2.0 < time.monotonic() - began < sized(20, 9)
        late.close()
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


@pytest.mark.parametrize(
    "how", [pytest.param(signal.SIGTERM, marks=pytest.mark.long), signal.SIGINT]
)
async def test_a_second_signal_ends_at_once(tmp_path: Path, how: signal.Signals) -> None:
    async with streaming(tmp_path, pieces=200, pause=0.2) as service:
        stream = service.ask()
        await service.begun(1)
        service.running.process.send_signal(how)
        # two signals at once are one, such as those of a terminal and of a script
        await asyncio.to_thread(until, lambda: readiness(service.running.address) == 0)
        await asyncio.sleep(1.0)
        assert service.running.process.poll() is None
        began = time.monotonic()
        assert await asyncio.to_thread(service.running.stop, how) == 0
        assert time.monotonic() - began < sized(20, 5)
        assert (await stream).error["type"] == "server_error"
        assert "Traceback" not in service.running.err
