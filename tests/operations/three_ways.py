"""Documents stored as the service stores them, and asked by words, by vectors, and by both."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncEngine

from plugin.engines.catalog import Answering
from plugin.engines.embedder import DEFAULT, CatalogEmbedder
from plugin.engines.llama.engine import VECTOR_MODEL, Llama, embedded_models
from plugin.engines.llama.link import Link
from plugin.engines.llama.process.state import StateFile
from plugin.operations.documents import search as searching
from plugin.operations.documents import store
from plugin.operations.documents.meaning import Meaning
from plugin.operations.documents.ranking import Asked, best
from plugin.operations.resources import Embedder
from plugin.outbound.client import GuardedClient
from plugin.storage import migrate
from plugin.storage.database import open_database
from tests.engines.llama.stand_in import queues
from tests.operations.function_library import DEPTH, Question
from tests.pools.threads import some_threads

WAYS = ("words", "vectors", "both")
CALLER = "key_reader"
_AT_ONCE = 50
UNKNOWN = dict.fromkeys(("title", "source", "source_id", "url", "author", "created_at"))


@asynccontextmanager
async def embedded(state: Path) -> AsyncIterator[Embedder]:
    """Vectors by the embedded engine that runs."""
    async with GuardedClient(allow_loopback=True) as client:
        engine = Llama(Link(StateFile(state), client, queues=queues(8)))
        [model] = [one for one in embedded_models(4096) if one.id == VECTOR_MODEL]
        yield CatalogEmbedder(Answering(DEFAULT, model, engine), some_threads())


class Library:
    """Documents of one caller with all their vectors."""

    def __init__(self, database: AsyncEngine, meaning: Meaning) -> None:
        self.database = database
        self.meaning = meaning

    async def store(self, documents: Mapping[str, str], caller: str = CALLER) -> None:
        """Store them by their names."""
        new = [store.NewDocument(name, text, UNKNOWN) for name, text in documents.items()]
        for start in range(0, len(new), _AT_ONCE):
            prepared = store.prepare(caller, new[start : start + _AT_ONCE], datetime.now(UTC))
            for one in prepared:
                await store.replace(self.database, [one], await self.meaning.of_stored([one]))

    async def ask(self, question: str, way: str, most: int = DEPTH) -> list[str]:
        """The names of the documents of the best chunks."""
        vector = None
        if way != "words":
            vector = (await self.meaning.of_questions([question])).get(question)
        async with self.database.connect() as connection:
            asked = Asked(question, searching.Filter(), most, vector)
            if way != "vectors":
                rows = await best(connection, CALLER, asked, self.meaning)
            elif vector is None:
                rows = []
            else:
                near = await self.meaning.nearest(connection, CALLER, vector, (), None)
                chosen = sorted(near.items(), key=lambda item: -item[1])[:most]
                rows = await searching.chunks(connection, CALLER, dict(chosen))
        return [row["id"] for row in rows]

    async def ask_all(self, questions: Sequence[Question], way: str) -> dict[str, list[str]]:
        """What is found for each question, by its id."""
        return {one.id: await self.ask(one.text, way) for one in questions}


@asynccontextmanager
async def library(directory: Path, state: Path) -> AsyncIterator[Library]:
    """An empty one, with vectors by the embedded engine that runs."""
    url = f"sqlite:///{directory / 'plugin.db'}"
    migrate.prepare(directory, url)
    database = open_database(url)
    try:
        async with embedded(state) as embedder:
            yield Library(database, Meaning(database, embedder, some_threads(), patience=30))
    finally:
        await database.dispose()
