"""Two thousand hostile schemas against the embedded engine: `make chaos`.

Each is sent as a tool, a strict tool or a response format, with 16 tokens. Each is answered or
refused, costs at most 2 s of CPU besides the decoding, and holds the event loop for at most 50 ms;
the engine lives on, and another caller's chat is answered beside them all.
"""

import argparse
import asyncio
import resource
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from plugin.engines.llama.engine import Llama
from plugin.engines.llama.grammar.preparation import Prepared
from plugin.engines.llama.grammar.schema_work import SchemaWork
from plugin.engines.llama.link import Link
from plugin.engines.llama.process.models import places
from plugin.engines.llama.process.state import FILE, EngineState, StateFile
from plugin.engines.llama.process.supervisor import Options, Supervisor
from plugin.outbound.client import GuardedClient
from tests.attacks.attacking import USES, ask, attack, attack_of_tokens, chat, watched_loop
from tests.attacks.hostile_schemas import generated
from tests.engines.llama.stand_in import queues

MOST_CPU = 2.0
SLACK = 0.5
"""Seconds of CPU beside the budget: a helper process that starts, and the decoding's jitter."""

MOST_HELD = 0.05
VICTIM_EVERY = 20
_TICKS = 100


@dataclass
class Figures:
    """What was measured; times in seconds."""

    outcomes: Counter[str] = field(default_factory=Counter)
    shares: list[float] = field(default_factory=list)
    masks: list[float] = field(default_factory=list)
    victims: list[float] = field(default_factory=list)


def cpu_of(pid: int) -> float:
    """Seconds of CPU of a process; 0 once it is gone."""
    fields = read(Path(f"/proc/{pid}/stat")).rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS if fields else 0.0


def cpu_of_helpers(engine: int) -> float:
    """Seconds of CPU of this process and of its children, the engine excepted."""
    found = 0.0
    for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN):
        usage = resource.getrusage(who)
        found += usage.ru_utime + usage.ru_stime
    for task in Path("/proc/self/task").iterdir():
        children = map(int, read(task / "children").split())
        found += sum(cpu_of(pid) for pid in children if pid != engine)
    return found


def read(file: Path) -> str:
    """What a file of /proc says; nothing once its process is gone."""
    try:
        return file.read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""


class MeasuredWork(SchemaWork):
    """Adds up what work on schemas costs; one request at a time."""

    def __init__(self, engine: int) -> None:
        super().__init__()
        self._engine = engine
        self.spent = 0.0

    async def of_format(self, schema: Any) -> Prepared:
        with self._measured():
            return await super().of_format(schema)

    async def of_tool(self, schema: Any, asking: str, request: str, room: int) -> Prepared:
        with self._measured():
            return await super().of_tool(schema, asking, request, room)

    async def judged(self, schema: Any, text: str) -> str | None:
        with self._measured():
            return await super().judged(schema, text)

    @contextmanager
    def _measured(self) -> Iterator[None]:
        before = cpu_of_helpers(self._engine)
        try:
            yield
        finally:
            self.spent += cpu_of_helpers(self._engine) - before


async def run(state: EngineState, file: Path, count: int, seed: int) -> tuple[Figures, float]:
    """Send them all, one after the other, and measure."""
    found, engine = Figures(), state.pid or 0
    schemas = list(generated(count, seed))
    async with GuardedClient(allow_loopback=True) as client:
        work = MeasuredWork(engine)
        llama = Llama(Link(StateFile(file), client, queues=queues(8)), work)
        plain = await decoding(llama, engine)
        async with watched_loop() as loop:
            for place, schema in enumerate(schemas):
                work.spent, theirs = 0.0, cpu_of(engine)
                use = USES[place % len(USES)]
                outcome, tokens = await attack_of_tokens(llama, schema, use)
                prepared = work.spent
                masks = max(cpu_of(engine) - theirs - tokens * plain, 0.0)
                found.outcomes[_short(outcome)] += 1
                found.shares.append(prepared + masks)
                found.masks.append(masks)
                if prepared + masks > MOST_CPU + SLACK:
                    print(f"place {place} as {use}: {prepared:.2f} s and {masks:.2f} s: {outcome}")
                if place % VICTIM_EVERY == 0:
                    attacking = asyncio.ensure_future(attack(llama, schema, "response_format"))
                    found.victims.append(await chat(llama))
                    await attacking
        llama.close()
    return found, loop.worked


async def decoding(llama: Llama, engine: int) -> float:
    """Seconds of CPU that a token costs the engine without a schema."""
    await chat(llama)
    body = {"messages": [{"role": "user", "content": "Tell me a story."}], "max_tokens": 60}
    before = cpu_of(engine)
    answer = await ask(llama, body)
    each = (cpu_of(engine) - before) / answer.usage.completion_tokens
    await attack(llama, {"type": "object", "properties": {}}, "response_format")
    return each


def _short(outcome: str) -> str:
    reason = outcome.partition("schema ")[2].partition(". Simplify")[0]
    return reason.rpartition(": ")[2][:60] or outcome


def main() -> int:
    """Print the figures; 1 where a promise does not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / FILE
        supervisor = Supervisor(Options(places(None, Path(folder)), threads=1), file)
        supervisor.start()
        try:
            while (state := StateFile(file).read()).state != "ready":
                time.sleep(0.05)
            began = time.monotonic()
            found, held = asyncio.run(run(state, file, chosen.count, chosen.seed))
            alive = StateFile(file).read() == state
        finally:
            supervisor.stop()
    print(f"{chosen.count} schemas in {time.monotonic() - began:.0f} s")
    for outcome, times in found.outcomes.most_common():
        print(f"  {times:5} {outcome}")
    ranked = sorted(found.shares)
    print(f"own share of CPU: median {statistics.median(ranked):.3f} s, most {ranked[-1]:.2f} s")
    print(f"  of it in the engine: most {max(found.masks):.2f} s")
    print(f"event loop held by its own work: most {held * 1000:.0f} ms")
    print(f"another caller's 4 tokens beside them: most {max(found.victims):.2f} s")
    print(f"engine alive, never restarted: {alive}")
    return int(not (alive and held <= MOST_HELD and ranked[-1] <= MOST_CPU + SLACK))


if __name__ == "__main__":
    sys.exit(main())
