"""Vectors that are missing: each made once, whatever fails and whoever else makes them."""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from plugin.errors import ContextLengthExceeded, EngineUnavailable, InvalidRequest
from plugin.operations.documents import store
from plugin.operations.documents.filling import Filling
from plugin.operations.documents.vectors import changes, document_filling, document_vectors
from tests.operations.concepts import Concepts
from tests.operations.three_ways import UNKNOWN


async def put(database: AsyncEngine, *texts: str, caller: str = "ann") -> None:
    new = [store.NewDocument(str(at), one, UNKNOWN) for at, one in enumerate(texts)]
    await store.replace(database, store.prepare(caller, new, datetime.now(UTC)))


async def held(database: AsyncEngine) -> list[tuple[str, bytes]]:
    rows = select(document_vectors.c.model, document_vectors.c.vector)
    async with database.connect() as connection:
        return [(row.model, row.vector) for row in await connection.execute(rows)]


async def until(database: AsyncEngine, true: Callable[[list[tuple[str, bytes]]], bool]) -> None:
    for _ in range(2000):
        if true(await held(database)):
            return
        await asyncio.sleep(0.01)
    raise AssertionError(await held(database))


async def asked(embedder: Concepts, times: int) -> None:
    for _ in range(2000):
        if len(embedder.asked) >= times:
            return
        await asyncio.sleep(0.01)
    raise AssertionError(embedder.asked)


def filling(database: AsyncEngine, embedder: Concepts) -> Filling:
    return Filling(database, embedder, time.time, pause=0.01, longest=0.05)


async def test_what_is_missing_is_made_at_the_start_and_when_woken(database: AsyncEngine) -> None:
    await put(database, *(f"car {number}" for number in range(20)))
    one = filling(database, Concepts())
    one.start()
    await until(database, lambda rows: len(rows) == 20)
    await put(database, "plums", caller="bob")
    one.wake()
    await until(database, lambda rows: len(rows) == 21)
    await one.close()
    async with database.connect() as connection:
        assert await changes(connection, "ann") > 1  # so that others read anew
        assert await connection.scalar(select(document_filling.c.until)) == 0


async def test_a_model_that_is_down_is_asked_until_it_answers(database: AsyncEngine) -> None:
    embedder = Concepts(fails=EngineUnavailable("Not yet."))
    await put(database, "car")
    one = filling(database, embedder)
    one.start()
    await asked(embedder, 3)
    assert await held(database) == []
    embedder.fails = None
    await until(database, lambda rows: len(rows) == 1)
    await one.close()


async def test_another_model_makes_them_anew(database: AsyncEngine) -> None:
    await put(database, "car", "plums")
    await made_by(database, "one")
    await made_by(database, "other")


async def made_by(database: AsyncEngine, model: str) -> None:
    at_work = filling(database, Concepts(model=model))
    at_work.start()
    await until(database, lambda rows: [made for made, _ in rows] == [model] * 2)
    await at_work.close()


async def test_several_at_once_make_each_vector_once(database: AsyncEngine) -> None:
    await put(database, *(f"car {number}" for number in range(60)))
    embedder = Concepts(takes=0.005)
    several = [filling(database, embedder) for _ in range(4)]
    for one in several:
        one.start()
    await until(database, lambda rows: len(rows) == 60)
    for one in several:
        await one.close()
    assert len(embedder.asked) == 60


async def test_one_that_died_at_work_is_followed(database: AsyncEngine) -> None:
    await put(database, "car")
    async with database.begin() as connection:
        soon = int(time.time() * 1000) + 300
        await connection.execute(update(document_filling).values(until=soon))
    one = filling(database, Concepts())
    one.start()
    await until(database, lambda rows: len(rows) == 1)
    assert time.time() * 1000 >= soon
    await one.close()


async def test_a_text_that_is_too_long_goes_by_its_beginning(database: AsyncEngine) -> None:
    too_long = ContextLengthExceeded("Too long.")
    embedder = Concepts(longest=120, too_long=too_long)
    await put(database, "car " + "x" * 400, "plums")
    one = filling(database, embedder)
    one.start()
    await until(database, lambda rows: len(rows) == 2)
    await one.close()
    assert all(vector for _, vector in await held(database))


@pytest.mark.parametrize("refused", ["forbidden fruit", "不懂的文字", "x" * 99 + "y" * 99])
async def test_what_the_model_takes_in_no_form_is_not_asked_again(
    database: AsyncEngine, refused: str
) -> None:
    embedder = Concepts(
        longest=20,
        too_long=ContextLengthExceeded("Too long."),
        refuses_texts=InvalidRequest("No."),
    )
    await put(database, refused, "car")
    one = filling(database, embedder)
    one.start()
    await until(database, lambda rows: len(rows) == 2)
    before = len(embedder.asked)
    one.wake()
    await asyncio.sleep(0.05)
    await one.close()
    assert len(embedder.asked) == before
    assert sorted(bool(vector) for _, vector in await held(database)) == [False, True]


async def test_what_changes_while_its_vector_is_made_is_made_anew(database: AsyncEngine) -> None:
    embedder = Concepts(takes=0.2)
    await put(database, "car")
    one = filling(database, embedder)
    one.start()
    await asked(embedder, 1)
    await put(database, "plums")  # the chunk takes the number of the one that is gone
    await until(database, lambda rows: len(rows) == 1)
    await one.close()
    [(_, vector)] = await held(database)
    [plums] = await embedder.embed(["plums"])
    assert vector == plums.tobytes()
