"""The real embedded engine as an attacker meets it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from plugin.engines.llama.engine import Llama
from plugin.engines.llama.link import Link
from plugin.engines.llama.schema_pool import SchemaPool
from plugin.engines.llama.schema_work import SchemaWork
from plugin.engines.llama.state import StateFile
from plugin.outbound.client import GuardedClient
from tests.engines.llama.stand_in import queues


@pytest.fixture
async def llama(engine: Path) -> AsyncIterator[Llama]:
    async with GuardedClient(allow_loopback=True) as client:
        work = SchemaWork(SchemaPool(cpu=0.2))  # a tenth of the time, the same ways
        found = Llama(Link(StateFile(engine), client, queues=queues(8)), work)
        yield found
        found.close()
