"""Several answers at once, told as one stream."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from typing import TypeVar

T = TypeVar("T")


async def merged(streams: Sequence[AsyncGenerator[T]]) -> AsyncGenerator[tuple[int, T]]:
    """What the streams give, as it comes, each with its stream's place in the list.

    The first error ends them all, and so does closing: each is closed, whatever happens.
    """
    if len(streams) == 1:
        async with aclosing(streams[0]) as only:
            async for item in only:
                yield 0, item
        return
    queue: asyncio.Queue[tuple[int, T] | Exception | None] = asyncio.Queue()
    tasks = [
        asyncio.ensure_future(_pump(index, stream, queue)) for index, stream in enumerate(streams)
    ]
    try:
        async for told in _until_all_ended(queue, len(tasks)):
            yield told
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _pump(
    index: int,
    stream: AsyncGenerator[T],
    queue: "asyncio.Queue[tuple[int, T] | Exception | None]",
) -> None:
    try:
        async with aclosing(stream) as items:
            async for item in items:
                queue.put_nowait((index, item))
    except Exception as error:  # noqa: BLE001 - whatever it was, who reads the queue raises it
        queue.put_nowait(error)
    else:
        queue.put_nowait(None)


async def _until_all_ended(
    queue: "asyncio.Queue[tuple[int, T] | Exception | None]", running: int
) -> AsyncIterator[tuple[int, T]]:
    while running:
        item = await queue.get()
        if isinstance(item, Exception):
            raise item
        if item is None:
            running -= 1
        else:
            yield item


async def begun(stream: AsyncGenerator[T]) -> AsyncGenerator[T]:
    """The same stream once its first item is there; what it raises before that is raised here."""
    try:
        first = await anext(stream)
    except StopAsyncIteration:
        return stream
    return _with_first(first, stream)


async def _with_first(first: T, stream: AsyncGenerator[T]) -> AsyncGenerator[T]:
    async with aclosing(stream):
        yield first
        async for item in stream:
            yield item
