"""Work on callers' schemas: small ones at once, others under a budget, each once."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from plugin.engines.llama.grammar.preparation import Unfit
from plugin.engines.llama.grammar.schema_pool import SchemaPool
from plugin.engines.llama.grammar.schema_work import SchemaWork, is_plain
from plugin.errors import EngineUnavailable
from tests.engines.llama.stand_in import until

WITH_PATTERN = {"type": "string", "pattern": "^[a-z]{2}$"}
COSTLY = {
    "properties": {"x": {"$ref": "#/$defs/n"}},
    "$defs": {"n": {"anyOf": [*({} for _ in range(4500)), {"items": {"$ref": "#/$defs/n"}}]}},
}


@pytest.fixture
async def pool() -> AsyncIterator[SchemaPool]:
    found = SchemaPool()
    yield found
    found.close()


def children() -> set[str]:
    found = [path.read_text().split() for path in Path("/proc/self/task").glob("*/children")]
    return {pid for pids in found for pid in pids}


async def test_a_small_schema_needs_no_process(pool: SchemaPool) -> None:
    before = children()
    work = SchemaWork(pool)
    prepared = await work.of_format({"type": "object", "properties": {"a": {"type": "integer"}}})
    assert prepared.grammar.exact
    assert await work.judged({"type": "integer"}, " 3 ") == "3"
    assert children() == before


async def test_others_are_prepared_in_one(pool: SchemaPool) -> None:
    work = SchemaWork(pool)
    first, second = await asyncio.gather(work.of_format(WITH_PATTERN), work.of_format(WITH_PATTERN))
    assert first is second
    assert first.grammar.exact
    assert await work.judged(WITH_PATTERN, '"ab"') == '"ab"'
    assert await work.judged(WITH_PATTERN, '"abc"') is None
    assert await work.judged(WITH_PATTERN, '"ab') is None
    assert len(pool._idle) == 1


async def test_a_tool_is_narrowed_as_before(pool: SchemaPool) -> None:
    schema = {"type": "object", "properties": {"to": WITH_PATTERN, "n": {"type": "integer"}}}
    prepared = await SchemaWork(pool).of_tool(schema, "count things", "count 12 things", 500)
    assert prepared.offered == ("n",)
    assert prepared.least == '{"n":12}'


async def test_over_the_budget_it_is_refused_and_the_next_one_is_not() -> None:
    pool = SchemaPool(cpu=0.1)
    work = SchemaWork(pool)
    with pytest.raises(Unfit, match=r"more than 0\.1 s of CPU"):
        await work.of_format(COSTLY)
    asked = time.process_time()
    with pytest.raises(Unfit, match=r"more than 0\.1 s of CPU"):
        await work.of_format(COSTLY)
    assert time.process_time() - asked < 0.1
    assert (await work.of_format(WITH_PATTERN)).least == '"aa"'
    pool.close()


async def test_a_busy_machine_is_no_fault_of_the_schema() -> None:
    pool = SchemaPool(wall=0.01)
    work = SchemaWork(pool)
    for _ in range(2):
        with pytest.raises(EngineUnavailable, match="too busy") as refused:
            await work.of_format(WITH_PATTERN)
        assert refused.value.headers == {"retry-after": "1"}


async def test_leaving_ends_the_work_and_frees_its_place(pool: SchemaPool) -> None:
    work = SchemaWork(pool)
    before = children()
    leaving = asyncio.ensure_future(work.of_format(COSTLY))
    waiting = asyncio.ensure_future(work.of_format({"anyOf": [COSTLY]}))
    await asyncio.sleep(0.1)
    [started] = children() - before
    waiting.cancel()
    leaving.cancel()
    await asyncio.gather(leaving, waiting, return_exceptions=True)
    await until(lambda: started not in children(), 10)
    assert (await work.of_format(WITH_PATTERN)).grammar.exact


async def test_a_process_that_dies_is_replaced(pool: SchemaPool) -> None:
    work = SchemaWork(pool)
    await work.of_format(WITH_PATTERN)
    pool._idle[0]._process.kill()
    assert await work.judged(WITH_PATTERN, '"ab"') == '"ab"'


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#"},
        WITH_PATTERN,
        {"type": "object", "properties": {f"p{index}": {} for index in range(30)}},
        {"enum": ["x" * 3000]},
        {"enum": [["a"]]},
        {"const": {"a": 1}},
        {"minimum": 10**30},
        {"anyOf": [{"properties": {"a": {}}}]},
        {"items": {"items": {"items": {"items": {"items": {"items": {}}}}}}},
        {"properties": []},
        "text",
        None,
    ],
)
def test_what_is_not_small(schema: Any) -> None:
    assert not is_plain(schema)
