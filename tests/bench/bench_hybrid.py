"""Documents by words, by vectors and by both: which finds the right one, and at what speed.

Some 580 descriptions of functions, asked with what people wrote (`tests/operations/
function_library.py`), on the embedded engine. How the two are joined was chosen on one half of the
questions; the other half says how good it is. Needs the model files (`make setup`).
"""

import asyncio
import random
import statistics
import tempfile
import time
from array import array
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import select

from plugin.engines.llama.engine import VECTOR_MODEL
from plugin.engines.llama.process.models import places
from plugin.engines.llama.process.state import FILE, StateFile
from plugin.engines.llama.process.supervisor import Options, Supervisor
from plugin.operations.documents import store
from plugin.operations.documents.vectors import document_vectors, mark_changed, put
from tests.operations.function_library import load, quality
from tests.operations.three_ways import CALLER, UNKNOWN, WAYS, Library, library

MANY = 10_000
WIDTH = 384
TIMES = 50


def main() -> None:
    """Start the engine, measure, stop it."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        supervisor = Supervisor(Options(places(None, directory)), directory / FILE)
        supervisor.start()
        try:
            while StateFile(directory / FILE).read().state != "ready":
                time.sleep(0.05)
            asyncio.run(_measure(directory))
        finally:
            supervisor.stop()


async def _measure(directory: Path) -> None:
    functions, questions = load()
    async with library(directory, directory / FILE) as shelf:
        started = time.perf_counter()
        await shelf.store(functions)
        took = time.perf_counter() - started
        print(f"{len(functions)} documents stored with vectors, {len(functions) / took:.0f}/s")
        for half, name in enumerate(("for choosing", "held back")):
            asked = [one for one in questions if one.half == half]
            print(f"{name} ({len(asked)} questions): recall@1, recall@5, MRR, ms a question")
            for way in WAYS:
                started = time.perf_counter()
                found = await shelf.ask_all(asked, way)
                each = (time.perf_counter() - started) / len(asked) * 1000
                print(f"  {way:8} {quality(asked, found)}  {each:.1f}")
        await _many(shelf)


async def _many(shelf: Library) -> None:
    """The same caller with many more chunks, whose vectors are made up."""
    chance = random.Random(1)  # noqa: S311 - not a secret
    texts = {f"more-{number}": _text(chance) for number in range(MANY)}
    await _store_without_vectors(shelf, texts)
    serials = await _without_vectors(shelf)
    made = {serial: _vector(chance) for serial in serials}
    async with shelf.database.begin() as connection:
        await put(connection, VECTOR_MODEL, made)
        await mark_changed(connection, [CALLER])
    print(f"the same caller with {len(made):,} chunks more, ms a question:")
    for way in WAYS:
        took = []
        for _ in range(TIMES):
            started = time.perf_counter()
            await shelf.ask("What will the weather be tomorrow in Paris?", way, 3)
            took.append((time.perf_counter() - started) * 1000)
        print(f"  {way:8} {statistics.median(took):.1f} (the first {took[0]:.0f})")


async def _store_without_vectors(shelf: Library, texts: dict[str, str]) -> None:
    new = [store.NewDocument(name, text, UNKNOWN) for name, text in texts.items()]
    for start in range(0, len(new), 500):
        prepared = store.prepare(CALLER, new[start : start + 500], datetime.now(UTC))
        await store.replace(shelf.database, prepared)


async def _without_vectors(shelf: Library) -> list[int]:
    chunk = store.document_chunks
    made = select(document_vectors.c.chunk_serial)
    missing = select(chunk.c.serial).where(chunk.c.serial.not_in(made))
    async with shelf.database.connect() as connection:
        return list((await connection.execute(missing)).scalars())


_WORDS = Path(__file__).read_text("utf-8").split()


def _text(chance: random.Random) -> str:
    return " ".join(chance.choices(_WORDS, k=60))


def _vector(chance: random.Random) -> bytes:
    numbers = [chance.gauss(0, 1) for _ in range(WIDTH)]
    length = sum(number * number for number in numbers) ** 0.5
    return array("f", [number / length for number in numbers]).tobytes()


if __name__ == "__main__":
    main()
