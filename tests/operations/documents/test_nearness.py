"""The vectors that are held: as they are now, within bounds, and the cosines that they give."""

from array import array
from datetime import UTC, datetime

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from plugin.operations.documents import store
from plugin.operations.documents.nearness import Held, Nearness, OddVectorsError, nearest
from plugin.operations.documents.vectors import Made
from tests.operations.three_ways import UNKNOWN
from tests.pools.threads import some_threads

MODEL = "model"


async def put(database: AsyncEngine, caller: str, vectors: dict[str, list[float]]) -> None:
    new = [store.NewDocument(name, name, UNKNOWN) for name in vectors]
    made = {name: [array("f", numbers).tobytes()] for name, numbers in vectors.items()}
    prepared = store.prepare(caller, new, datetime.now(UTC))
    await store.replace(database, prepared, Made(MODEL, made))


async def held(nearness: Nearness, database: AsyncEngine, caller: str, model: str = MODEL) -> Held:
    async with database.connect() as connection:
        return await nearness.held(connection, caller, model)


async def test_they_are_read_once_until_something_changes(database: AsyncEngine) -> None:
    nearness = Nearness(some_threads())
    await put(database, "ann", {"a": [1, 0], "b": [0, 1]})
    first = await held(nearness, database, "ann")
    assert first.vectors.tolist() == [[0, 1], [1, 0]]  # the newest first
    await put(database, "bob", {"x": [1, 0]})
    assert await held(nearness, database, "ann") is first
    await put(database, "ann", {"c": [1, 0]})
    assert len((await held(nearness, database, "ann")).serials) == 3
    await store.remove(database, "ann", "a")
    assert len((await held(nearness, database, "ann")).serials) == 2
    assert len((await held(nearness, database, "ann", "another")).serials) == 0


async def test_no_more_is_held_than_allowed(database: AsyncEngine) -> None:
    for caller in ("ann", "bob", "cid"):
        await put(database, caller, {str(number): [1, 0] for number in range(10)})
    each = 10 * (8 + 2 * 4)
    nearness = Nearness(some_threads(), most=2 * each)
    ann = await held(nearness, database, "ann")
    await held(nearness, database, "bob")
    assert await held(nearness, database, "ann") is ann  # used last, so bob's go
    await held(nearness, database, "cid")
    assert nearness.size == 2 * each
    assert await held(nearness, database, "ann") is ann


async def test_of_too_many_the_newest_are_held(database: AsyncEngine) -> None:
    await put(database, "ann", {str(number): [1, 0] for number in range(300)})
    few = await held(Nearness(some_threads(), most=8), database, "ann")
    everything = await held(Nearness(some_threads()), database, "ann")
    assert few.serials.tolist() == everything.serials.tolist()[: len(few.serials)]
    assert len(few.serials) < len(everything.serials) == 300


async def test_the_nearest_and_those_asked_for_have_a_cosine(database: AsyncEngine) -> None:
    await put(database, "ann", {"a": [1, 0], "b": [0.6, 0.8], "c": [0, 1], "d": [-1, 0]})
    all_of_them = await held(Nearness(some_threads()), database, "ann")
    d, c, b, a = all_of_them.serials.tolist()
    question = array("f", [1, 0])

    def found(also: set[int], allowed: set[int] | None = None, most: int = 2) -> dict[int, float]:
        cosines = nearest(all_of_them, question, also, allowed, most)
        return {serial: round(cosine, 3) for serial, cosine in cosines.items()}

    assert found(set()) == {a: 1, b: 0.6}
    assert found({d}) == {a: 1, b: 0.6, d: -1}
    assert found({a, 999}) == {a: 1, b: 0.6}
    assert found(set(), {c, d, 999}) == {c: 0, d: -1}
    assert found({a}, {c}, 9) == {c: 0}
    assert found(set(), set()) == {}
    assert found(set(), None, 9) == {a: 1, b: 0.6, c: 0, d: -1}
    with pytest.raises(OddVectorsError):
        nearest(all_of_them, array("f", [1, 0, 0]), (), None, 2)


async def test_vectors_of_two_lengths_are_not_compared(database: AsyncEngine) -> None:
    await put(database, "ann", {"a": [1, 0], "b": [1, 0, 0]})
    with pytest.raises(OddVectorsError):
        await held(Nearness(some_threads()), database, "ann")
