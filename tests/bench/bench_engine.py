"""Text through `/v1` against the engine's own HTTP server: tokens a second, and the first token.

Both are asked the same, one after the other, in rounds; the median of the ratios is what counts.
The first token has rounds of its own, of short answers: a difference of milliseconds needs many.
"""

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.clients.event_stream import Answered, post
from tests.clients.gpt_service import GptService, serving_gpt

STREAMS = (1, 4, 8)
SHORT = 2
"""Tokens of an answer of which only the first is timed."""

Measured = tuple[float, float]
"""Tokens a second, and milliseconds to the first token."""


@dataclass(frozen=True)
class Way:
    """Where to ask."""

    name: str
    port: int
    key: str

    async def ask(self, number: int, tokens: int) -> Answered:
        # different words, so that neither way finds the other's prompt in the cache
        words = f"Story {number:06d}: tell me about the sea and the people who live beside it."
        body: dict[str, Any] = {
            "model": "gpt-4",
            "messages": [{"role": "user", "content": words}],
            "temperature": 0,
            "max_tokens": tokens,
            "stream": True,
            "logit_bias": {"2": -100},  # no early end: each answer is as long as the others
        }
        return await post(self.port, "/v1/chat/completions", self.key, body)


async def together(way: Way, streams: int, tokens: int, begin: int) -> Measured:
    """Tokens a second of so many streams at once, and their median first token in milliseconds."""
    started = time.perf_counter()
    answers = await asyncio.gather(*(way.ask(begin + one, tokens) for one in range(streams)))
    took = time.perf_counter() - started
    assert all(one.done and one.tokens > tokens // 2 for one in answers), answers[0]
    firsts = [one.first * 1000 for one in answers if one.first is not None]
    return sum(one.tokens for one in answers) / took, statistics.median(firsts)


def ways(gpt: GptService) -> tuple[Way, Way]:
    state = json.loads((gpt.directory / "data" / "engine.json").read_text())
    engine = Way("engine", urlsplit(state["text"]).port or 0, state["key"])
    return engine, Way("/v1", gpt.running.address.port, gpt.key)


async def in_turns(
    both: tuple[Way, Way], streams: int, rounds: int, tokens: int, begin: int
) -> list[tuple[Measured, Measured]]:
    """What the engine and we gave in each round; who comes first changes."""
    found = []
    for turn in range(rounds):
        number = begin + 20 * turn
        if turn % 2:
            ours = await together(both[1], streams, tokens, number)
            theirs = await together(both[0], streams, tokens, number + 10)
        else:
            theirs = await together(both[0], streams, tokens, number + 10)
            ours = await together(both[1], streams, tokens, number)
        found.append((theirs, ours))
    return found


async def compare(gpt: GptService, rounds: int, tokens: int, firsts: int) -> None:
    both = ways(gpt)
    for way in both:
        await together(way, 1, 8, 0)
    for streams in STREAMS:
        long = await in_turns(both, streams, rounds, tokens, 10_000 * streams)
        short = await in_turns(both, streams, firsts, SHORT, 10_000 * streams + 5_000)
        print(
            f"{streams} streams: engine {statistics.median(x[0] for x, _ in long):6.1f} tokens/s, "
            f"/v1 {statistics.median(x[0] for _, x in long):6.1f} tokens/s, "
            f"ratio {statistics.median(our[0] / their[0] for their, our in long):.3f}; "
            f"first token after {statistics.median(x[1] for x, _ in short):.1f} ms, "
            f"/v1 {statistics.median(our[1] - their[1] for their, our in short):+.1f} ms",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--firsts", type=int, default=30, help="rounds of the first token")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory, serving_gpt(Path(directory)) as gpt:
        asyncio.run(compare(gpt, options.rounds, options.tokens, options.firsts))


if __name__ == "__main__":
    main()
