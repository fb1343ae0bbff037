"""Text through `/v1` against the engine's own HTTP server: tokens a second, and the first token.

Both are asked the same, one after the other, in rounds; the median of the ratios is what counts.
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


async def together(way: Way, streams: int, tokens: int, begin: int) -> tuple[float, float]:
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


async def compare(gpt: GptService, rounds: int, tokens: int) -> None:
    both = ways(gpt)
    for way in both:
        await together(way, 1, 8, 0)
    for streams in STREAMS:
        found: dict[str, list[tuple[float, float]]] = {way.name: [] for way in both}
        for turn in range(rounds):
            order = both if turn % 2 == 0 else both[::-1]
            for way in order:
                number = 1000 * streams + 20 * turn + (10 if way is both[0] else 0)
                found[way.name].append(await together(way, streams, tokens, number))
        engine, ours = found["engine"], found["/v1"]
        ratios = [mine[0] / theirs[0] for mine, theirs in zip(ours, engine, strict=True)]
        later = [mine[1] - theirs[1] for mine, theirs in zip(ours, engine, strict=True)]
        print(
            f"{streams} streams: engine {statistics.median(x[0] for x in engine):6.1f} tokens/s, "
            f"/v1 {statistics.median(x[0] for x in ours):6.1f} tokens/s, "
            f"ratio {statistics.median(ratios):.3f}; first token {statistics.median(later):+.1f} ms"
        )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--tokens", type=int, default=64)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory, serving_gpt(Path(directory)) as gpt:
        asyncio.run(compare(gpt, options.rounds, options.tokens))


if __name__ == "__main__":
    main()
