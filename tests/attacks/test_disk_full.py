"""Attack: the disk fills up under load, then the service ends. What was answered has its row.

`tests/ledger/test_journal.py` holds the same for RLIMIT_FSIZE.
"""

import asyncio
import os
import random
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from plugin.auth.keys import KeyStore
from plugin.ledger.writer import LedgerWriter
from plugin.storage.database import open_blocking
from tests.journeys.accounted_load import NOT_LET_IN, Accounted, account
from tests.journeys.running import Running, Settings, prepare_data, running, until
from tests.journeys.storage_faults import small_disk
from tests.journeys.storage_trial import REQUESTS
from tests.journeys.streaming import children
from tests.sizes import sized

POINTS = sized(1, 10)
"""Points for each way to end; each fills the disk at another moment, to another last byte."""

WHOLE_START = sized(gate=False, long=True)

MEGABYTES = 32
_MOST_LEFT = 400_000
_PATIENCE = 60.0


@contextmanager
def filled(data: Path, left: int) -> Iterator[None]:
    """Nothing but `left` bytes are left of the disk."""
    filler = data / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (1 << 16, 1 << 12):
            with suppress(OSError):
                while True:
                    file.write(bytes(size))
        file.truncate(max(0, file.tell() - left))
    try:
        yield
    finally:
        filler.unlink()


def end(service: Running, how: signal.Signals) -> None:
    """End the service; by SIGKILL the workers and their parent at once."""
    if how is signal.SIGKILL:
        for one in [*children(service.process.pid), service.process.pid]:
            with suppress(ProcessLookupError):
                os.kill(one, how)
        service.process.wait()
    else:
        service.stop(how)


async def drive(
    load: Accounted, data: Path, service: Running, how: signal.Signals, dice: random.Random
) -> None:
    """Load the service, fill its disk, wait for refusals, and end it under load."""
    stop = asyncio.Event()
    calling = asyncio.create_task(load.until(stop))
    await asyncio.sleep(dice.uniform(0.1, 0.8))
    with filled(data, dice.randrange(_MOST_LEFT)):
        given_up = time.monotonic() + _PATIENCE
        while not any(call.code == NOT_LET_IN for call in load.calls):
            assert time.monotonic() < given_up, "the full disk refuses nobody"
            await asyncio.sleep(0.02)
        await asyncio.sleep(dice.uniform(0.0, 0.2))
        ending = asyncio.create_task(asyncio.to_thread(end, service, how))
        await asyncio.wait({ending})
        stop.set()
        await calling
        ending.result()


def key_with_a_long_name(directory: Path, settings: Settings) -> str:
    """Return a key whose lines in a journal are long, so that few calls use up its space."""
    engine = open_blocking(f"sqlite:///{prepare_data(directory, settings)}")
    try:
        return KeyStore(engine, time.time).create(1_500 * "n", ("*",)).key
    finally:
        engine.dispose()


@contextmanager
def ledger_written(directory: Path, settings: Settings, data: Path) -> Iterator[None]:
    """Write the ledger as the next start does; in full size by a start of the whole service."""
    with ExitStack() as stack:
        if WHOLE_START:
            stack.enter_context(running(directory, "serve", settings=settings))
        else:
            url = f"sqlite:///{data / 'plugin.db'}"
            stack.enter_context(LedgerWriter(data / "journal", url, time.time)).start()
        yield


@pytest.mark.parametrize("point", range(POINTS))
@pytest.mark.parametrize("how", sized([signal.SIGKILL], [signal.SIGTERM, signal.SIGKILL]))
def test_what_was_answered_has_its_row(tmp_path: Path, how: signal.Signals, point: int) -> None:
    data = tmp_path / "data"
    with small_disk(data, MEGABYTES) as mounted:
        if not mounted:
            pytest.skip("no disk can be mounted here")
        settings = {"PLUGIN_DATA_DIR": str(data), "PLUGIN_LOG_LEVEL": "warning"}
        key = key_with_a_long_name(tmp_path, settings)
        with running(tmp_path, "serve", settings=settings) as service:
            load = Accounted(service.address.port, key, 4, REQUESTS)
            asyncio.run(drive(load, data, service, how, random.Random(point)))  # noqa: S311 - no secret
        answered = [call for call in load.calls if call.code != NOT_LET_IN]
        assert len(answered) > 20
        with ledger_written(tmp_path, settings, data):
            until(lambda: not account(data / "plugin.db", load).missing)
            found = account(data / "plugin.db", load)
        assert (found.missing, found.doubled, found.unfounded) == ([], [], [])
