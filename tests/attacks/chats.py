"""An attack on an engine by one key: long chats of many choices, as many at a time as wanted."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.clients.event_stream import post

_PATH = "/v1/chat/completions"


@dataclass(slots=True)
class Attack:
    """What the attacker was told: how often each status, and the last text of each error."""

    statuses: Counter[int] = field(default_factory=Counter)
    errors: dict[str, int] = field(default_factory=Counter)

    @property
    def failed(self) -> int:
        """Answers of 500 and above, and streams that ended with an error."""
        return sum(self.errors.values())


def long_chat(choices: int, tokens: int, model: str = "gpt-4") -> dict[str, Any]:
    """A chat of so many choices, each of exactly so many tokens."""
    return {
        "model": model,
        "messages": [{"role": "user", "content": "Tell me a long story about the sea."}],
        "n": choices,
        "max_tokens": tokens,
        "stream": True,
        "logit_bias": {"2": -100},  # no early end
    }


@asynccontextmanager
async def chatting(port: int, key: str, count: int, body: Any) -> AsyncIterator[Attack]:
    """Keep `count` requests of `body` under way until the context ends; then leave them."""
    attack = Attack()

    async def again() -> None:
        while True:
            answered = await post(port, _PATH, key, body)
            attack.statuses[answered.status] += 1
            if answered.error is not None or answered.status >= 500:
                attack.errors[str(answered.error)[:200]] += 1

    asking = [asyncio.create_task(again()) for _ in range(count)]
    try:
        yield attack
    finally:
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)
