"""Hostile schemas: answered or refused under a budget, and nobody else waits for it."""

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from plugin.api.v1.chat import ChatRequest
from plugin.engines.llama.engine import Llama
from plugin.engines.llama.process.state import StateFile
from plugin.errors import Overloaded
from tests.attacks.attacking import USES, Use, ask, attack, chat, request, watched_loop
from tests.attacks.hostile_schemas import NULLABLE, generated, known
from tests.sizes import sized

PATIENCE = 30.0
"""Seconds: each of these attacks once took a minute or more; a busy machine takes less."""

HELD = 1.0
"""Seconds of work for which the event loop may be held here; `make chaos` holds it to 0.05."""

GENERATED = sized(24, 60)
SEED = 2
MIXED: tuple[Use, ...] = (
    "response_format",
    "tool",
    "response_format",
    "response_format",
    "strict tool",
    "response_format",
)
"""A tool's arguments are written to their end, which takes the engine longer than 16 tokens."""


@pytest.mark.parametrize(("place", "name"), list(enumerate(known())))
async def test_an_attack_holds_up_nobody(llama: Llama, place: int, name: str) -> None:
    schema = known()[name]
    async with asyncio.timeout(PATIENCE), watched_loop() as loop:
        attacking = asyncio.ensure_future(attack(llama, schema, USES[place % len(USES)]))
        await chat(llama)
        await attacking
    assert loop.worked < HELD


@pytest.mark.parametrize("use", USES)
async def test_an_ambiguous_pattern_is_followed(llama: Llama, use: Use) -> None:
    schema = known()["nullable repeats"]
    assert NULLABLE in str(schema)
    async with asyncio.timeout(PATIENCE):
        assert await attack(llama, schema, use) == "answered"


async def test_an_attacker_who_leaves_leaves_nothing_behind(llama: Llama) -> None:
    for schema in known().values():
        leaving = asyncio.ensure_future(ask(llama, request(schema, "response_format")))
        await asyncio.sleep(0.05)
        leaving.cancel()
        await asyncio.gather(leaving, return_exceptions=True)
    async with asyncio.timeout(PATIENCE):
        await chat(llama)


async def test_a_schema_over_the_budget_is_refused_once_and_for_all(llama: Llama) -> None:
    schema = known()["branches of nothing"]
    first = await attack(llama, schema, "response_format")
    assert "more than 0.2 s of CPU" in first
    async with asyncio.timeout(PATIENCE):
        assert await attack(llama, schema, "response_format") == first


async def until_it_has_its_turn(llama: Llama, schema: Any, use: Use) -> None:
    """Send it again as the 503 says: on a busy machine three callers wait for one place."""
    async with asyncio.timeout(PATIENCE):
        while True:
            with suppress(Overloaded):
                await attack(llama, schema, use)
                return
            await asyncio.sleep(1)


async def test_generated_schemas(llama: Llama, engine: Path) -> None:
    before = StateFile(engine).read()
    schemas = iter(list(enumerate(generated(GENERATED, SEED))))

    async def caller() -> None:
        for place, schema in schemas:
            await until_it_has_its_turn(llama, schema, MIXED[place % len(MIXED)])

    async with watched_loop() as loop:
        await asyncio.gather(caller(), caller(), caller())
        await chat(llama)
    assert loop.worked < HELD
    assert StateFile(engine).read() == before


@pytest.mark.parametrize("name", known())
def test_the_door_does_not_read_it(name: str) -> None:
    """What goes to an upstream is passed on as it came, however deep or odd."""
    schema: Any = known()[name]
    for use in ("tool", "response_format"):
        body = {"model": "far", **request(schema, use)}
        read = ChatRequest.model_validate(body)
        told = read.model_dump(mode="json", by_alias=True, exclude_unset=True)
        assert told == body
