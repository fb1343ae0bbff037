"""The asking side of the embedded engine: before a stand-in, and before the real one."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from plugin.engines.llama.engine import Llama
from plugin.engines.llama.link import Link
from plugin.engines.llama.process.state import StateFile
from plugin.outbound.client import GuardedClient
from tests.engines.llama.stand_in import Answering, StandIn, queues, ready, standing_in

StandsIn = Callable[[Answering], Awaitable[tuple[StandIn, Link]]]


@pytest.fixture
async def client() -> AsyncIterator[GuardedClient]:
    async with GuardedClient(allow_loopback=True) as client:
        yield client


@pytest.fixture
async def stand_in(tmp_path: Path, client: GuardedClient) -> AsyncIterator[StandsIn]:
    """Starts a stand-in and gives it with a link to it."""
    async with AsyncExitStack() as stack:

        async def begin(answer: Answering) -> tuple[StandIn, Link]:
            server = await stack.enter_async_context(standing_in(answer))
            file = tmp_path / "engine.json"
            ready(file, server.url)
            return server, Link(StateFile(file), client, queues=queues(8))

        yield begin


@pytest.fixture
def real_link(engine: Path, client: GuardedClient) -> Link:
    """A link to the real engine."""
    return Link(StateFile(engine), client, queues=queues(8))


@pytest.fixture
def llama(real_link: Link) -> Llama:
    """The real engine."""
    return Llama(real_link)
