"""A caller who sends a hostile schema to the embedded engine, and what others feel of it."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Literal

from plugin.engines.engine import Ask, Whole
from plugin.engines.llama.engine import TEXT_MODEL, Llama
from plugin.errors import InvalidRequest

Use = Literal["tool", "strict tool", "response_format"]
USES: tuple[Use, ...] = ("tool", "strict tool", "response_format")

_TICK = 0.005


@dataclass
class Loop:
    """How long the event loop was held: by its own work, and by whatever else, in seconds."""

    worked: float = 0.0
    late: float = 0.0


def request(schema: Any, use: Use, **more: Any) -> dict[str, Any]:
    """A chat that has to follow the schema."""
    body = {"messages": [{"role": "user", "content": "Fill in the form."}], "max_tokens": 16}
    if use == "response_format":
        told = {"name": "x", "schema": schema, "strict": True}
        return {**body, "response_format": {"type": "json_schema", "json_schema": told}, **more}
    function = {"name": "form", "parameters": schema, "strict": use == "strict tool"}
    choice = {"type": "function", "function": {"name": "form"}}
    tools = [{"type": "function", "function": function}]
    return {**body, "tools": tools, "tool_choice": choice, **more}


async def attack(engine: Llama, schema: Any, use: Use) -> str:
    """What the attack got: "answered", or why it was refused."""
    return (await attack_of_tokens(engine, schema, use))[0]


async def attack_of_tokens(engine: Llama, schema: Any, use: Use) -> tuple[str, int]:
    """The same, and how many tokens the engine wrote for it."""
    try:
        answer = await ask(engine, request(schema, use))
    except InvalidRequest as refused:
        return refused.detail, 0
    return "answered", answer.usage.completion_tokens


async def chat(engine: Llama) -> float:
    """Another caller's chat of four tokens: the seconds that it took."""
    began = time.monotonic()
    body = {"messages": [{"role": "user", "content": "Say hello."}], "max_tokens": 4}
    answer = await ask(engine, body)
    assert answer.usage.completion_tokens == 4
    return time.monotonic() - began


async def ask(engine: Llama, body: dict[str, Any]) -> Whole:
    model = {"model": TEXT_MODEL, **body}
    answer = await engine.answer(Ask("chat/completions", model, TEXT_MODEL, TEXT_MODEL, ()))
    assert isinstance(answer, Whole)
    return answer


@asynccontextmanager
async def watched_loop() -> AsyncIterator[Loop]:
    """Measures how long the event loop is held at a time."""
    found = Loop()

    async def tick() -> None:
        while True:
            clock, work = time.monotonic(), time.thread_time()
            await asyncio.sleep(_TICK)
            found.late = max(found.late, time.monotonic() - clock - _TICK)
            found.worked = max(found.worked, time.thread_time() - work)

    ticking = asyncio.ensure_future(tick())
    try:
        yield found
    finally:
        ticking.cancel()
