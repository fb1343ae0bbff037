"""The queues in front of the embedded engine's two servers, shared by all workers."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from plugin.engines.fair_queue import FairQueue
from plugin.engines.llama.link import Server
from plugin.engines.shared_places import SharedPlaces, Worker

DIRECTORY = "engine-places"
"""Its name in the data directory."""

SPARE = 1
"""Slots that the engine has beyond the setting. One caller alone never holds them: a request of
another caller finds one free."""

_LOOK = 0.01
"""Seconds between two looks for places that other workers returned."""


@contextmanager
def open_queues(
    directory: Path, worker: Worker, slots: int
) -> Iterator[Mapping[Server, FairQueue]]:
    """Open a queue for each server; one caller alone holds at most `slots` of its slots.

    Raises `OSError` when the files cannot be opened.
    """
    queues: dict[Server, FairQueue] = {}
    servers: tuple[Server, ...] = ("text", "vectors")
    with ExitStack() as stack:
        for server in servers:
            path = directory / server
            places = stack.enter_context(
                closing(SharedPlaces(path, worker, slots + SPARE, share=slots))
            )
            queues[server] = stack.enter_context(closing(FairQueue(places, look=_LOOK)))
        yield queues
