"""Threads and pools for a test that is not about them."""

from plugin.pools.opening import Pools
from plugin.pools.threads import Threads
from plugin.pools.turns import Turns


def some_threads() -> Threads:
    """As many as any test needs."""
    return Threads(Turns("the threads", 8, seconds=60))


def some_pools() -> Pools:
    """Pools that share their threads."""
    turns, threads = Turns("the places", 100), some_threads()
    return Pools(
        database=turns,
        heavy=turns,
        bodies=turns,
        uploads=turns,
        documents=threads,
        files=threads,
        schemas=turns,
        idempotency=threads,
        ledger=threads,
        metrics=threads,
        operations=threads,
    )
