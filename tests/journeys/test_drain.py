"""A service that is told to stop, and has too little time: what takes too long hears so."""

import asyncio
import signal
import time
from http.client import HTTPConnection
from pathlib import Path

import pytest

from tests.journeys.running import PATIENCE, Address, Answer, readiness, request, until
from tests.journeys.streaming import streaming
from tests.sizes import sized

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")


def asked_when_closed(connection: HTTPConnection) -> Answer:
    """Ask on an open connection as soon as the service accepts no other."""
    until(lambda: readiness(Address(connection.port)) == 0)
    return request(connection, "GET", "/healthz")


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


@pytest.mark.long  # in the gate, tests/server/test_workers.py has workers that a second signal ends
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
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
