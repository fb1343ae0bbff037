"""What is attacked: a service of each module, or the real embedded engine."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from plugin.engines.llama.engine import Llama
from plugin.engines.llama.grammar.schema_pool import SchemaPool
from plugin.engines.llama.grammar.schema_work import SchemaWork
from plugin.engines.llama.link import Link
from plugin.engines.llama.process.state import StateFile
from plugin.outbound.client import GuardedClient
from tests.engines.llama.stand_in import queues
from tests.journeys.running import Running, new_key, running


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("attacked")


@pytest.fixture(scope="module")
def service(directory: Path) -> Iterator[Running]:
    with running(directory, "serve") as started:
        yield started


@pytest.fixture(scope="module")
def key(directory: Path) -> dict[str, Any]:
    return new_key(directory)


@pytest.fixture
async def llama(engine: Path) -> AsyncIterator[Llama]:
    async with GuardedClient(allow_loopback=True) as client:
        work = SchemaWork(SchemaPool(cpu=0.2))  # a tenth of the time, the same ways
        found = Llama(Link(StateFile(engine), client, queues=queues(8)), work)
        yield found
        found.close()
