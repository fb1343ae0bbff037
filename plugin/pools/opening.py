"""The pools of a worker: what is bounded, and how much there is of each."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from plugin.pools.threads import Threads
from plugin.pools.turns import Requester, Turns


@dataclass(frozen=True, slots=True)
class Pools:
    """One pool for each kind of work, so that no kind waits for another.

    Of each pool a caller holds at most half, and waits for it 1 to 2 s.
    """

    database: Turns
    """Connections to the database for the event loop."""
    heavy: Turns
    """Calls that keep a processor busy: searches and stores of documents, sums of the ledger."""
    bodies: Turns
    """Large bodies under way: until its turn comes, a caller's body stays unread."""
    uploads: Turns
    """Files and images under way, which slow connections send for minutes."""
    documents: Threads
    """Texts cut and indexed, vectors compared."""
    files: Threads
    """Files and large bodies: read, written, parsed.

    Python's lock lets one of them run at a time: a caller's second thread would only slow down the
    event loop.
    """
    schemas: Turns
    """Helper processes for work on callers' schemas."""
    idempotency: Threads
    """The table of idempotency keys, in one transaction after another."""
    ledger: Threads
    """Waits until the journals are in the ledger."""
    metrics: Threads
    """What `/metrics` collects and writes."""
    operations: Threads
    """Operations that are plain functions, without `async`."""


@contextmanager
def open_pools(requester: Callable[[], Requester | None], processors: int = 2) -> Iterator[Pools]:
    """Open the pools of a worker with so many processors; at the end wait for begun jobs."""
    with ExitStack() as stack:

        def threads(name: str, size: int) -> Threads:
            made = Threads(Turns(f"the threads for {name}", size, requester))
            stack.callback(made.close)
            return made

        yield Pools(
            database=Turns("the database", 6, requester),
            heavy=Turns("searches and reports", max(2, processors), requester),
            bodies=Turns("large bodies", 4, requester),
            uploads=Turns("uploads", 32, requester),
            documents=threads("documents", 2),
            files=threads("files and large bodies", 2),
            schemas=Turns("work on schemas", 2, requester, seconds=2.0),
            idempotency=threads("idempotency keys", 1),
            ledger=threads("the ledger", 1),
            metrics=threads("metrics", 2),
            operations=threads("operations", 16),
        )
