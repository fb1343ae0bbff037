"""The real embedded engine as an attacker meets it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from plugin.engines.llama.engine import Llama
from plugin.engines.llama.link import Link
from plugin.engines.llama.state import StateFile
from plugin.outbound.client import GuardedClient


@pytest.fixture
async def llama(engine: Path) -> AsyncIterator[Llama]:
    async with GuardedClient(allow_loopback=True) as client:
        found = Llama(Link(StateFile(engine), client, at_once=8))
        yield found
        found.close()
