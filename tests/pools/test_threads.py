import asyncio
import threading
from collections.abc import Iterator
from contextvars import ContextVar

import pytest

from plugin.errors import Overloaded
from plugin.pools.opening import open_pools
from plugin.pools.threads import Threads
from plugin.pools.turns import Turns, no_requester

word: ContextVar[str] = ContextVar("word", default="")


@pytest.fixture
def threads() -> Iterator[Threads]:
    made = Threads(Turns("the threads", 1, seconds=0.2))
    yield made
    made.close()


async def test_work_is_done_in_a_thread_with_the_context_of_the_task(threads: Threads) -> None:
    word.set("said")
    assert await threads.run(word.get) == "said"
    assert await threads.run(threading.get_ident) != threading.get_ident()
    with pytest.raises(ZeroDivisionError):
        await threads.run(lambda: 1 // 0)
    assert await threads.run(int, "11", base=2) == 3


async def test_a_job_whose_task_is_cancelled_while_it_waits_never_begins(threads: Threads) -> None:
    begun, ended = list[str](), threading.Event()
    busy = asyncio.create_task(threads.run(ended.wait))
    await asyncio.sleep(0)
    waiting = asyncio.create_task(threads.run(begun.append, "cancelled"))
    await asyncio.sleep(0.01)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    ended.set()
    await busy
    await threads.run(begun.append, "next")
    assert begun == ["next"]


async def test_the_thread_of_a_cancelled_task_is_free_when_its_job_ends(threads: Threads) -> None:
    ended = threading.Event()
    cancelled = asyncio.create_task(threads.run(ended.wait))
    await asyncio.sleep(0.01)
    cancelled.cancel()
    await asyncio.gather(cancelled, return_exceptions=True)
    with pytest.raises(Overloaded):
        await threads.run(int)
    ended.set()
    assert await threads.run(int) == 0


async def test_pools_do_not_wait_for_each_other() -> None:
    ended = threading.Event()
    with open_pools(no_requester) as pools:
        busy = [asyncio.create_task(pools.files.run(ended.wait)) for _ in range(50)]
        await asyncio.sleep(0.01)
        for other in (pools.metrics, pools.idempotency, pools.ledger):
            assert await other.run(int) == 0
        ended.set()
        await asyncio.gather(*busy)
