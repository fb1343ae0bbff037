"""Documents: which share of questions is answered by the right one, and at what speed.

The handbook of the tests alone, then among the pages and the code of this project, then with others
storing in the same database; stored and asked through the whole application, in this process.
"""

import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fastapi.testclient import TestClient

from plugin.app import create_app
from plugin.auth.keys import KeyStore
from plugin.operations.documents.chunking import chunks
from plugin.settings import Settings
from plugin.storage.database import open_blocking
from tests.operations import bilingual

ROOT = Path(__file__).parents[2]
OTHERS = 20
AT_ONCE = 50


class Library:
    """The documents of one caller."""

    def __init__(self, service: TestClient, key: str) -> None:
        self._service = service
        self._headers = {"Authorization": f"Bearer {key}"}

    def store(self, documents: list[dict[str, Any]]) -> None:
        """Store them, in several calls."""
        for start in range(0, len(documents), AT_ONCE):
            self._call("/documents", {"documents": documents[start : start + AT_ONCE]})

    def query(self, body: Any) -> Any:
        """The reply of query_documents."""
        return self._call("/documents/query", body)

    def _call(self, path: str, body: Any) -> Any:
        reply = self._service.post(path, json=body, headers=self._headers)
        reply.raise_for_status()
        return reply.json()


def main() -> None:
    """Print recall and speed as the database fills."""
    noise = _noise()
    with tempfile.TemporaryDirectory() as directory, _service(Path(directory)) as (service, keys):
        library = Library(service, keys.create("reader", ("*",)).key)
        library.store(bilingual.documents())
        _show("the handbook alone", library)
        _store("the project's own pages and code", library, noise)
        _show(f"among {len(noise):,} others of the caller", library)
        for number in range(OTHERS):
            Library(service, keys.create(f"other {number}", ("*",)).key).store(noise)
        _show(f"with {OTHERS * len(noise):,} of other callers", library)


def _noise() -> list[dict[str, Any]]:
    files = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("plugin/**/*.py")])
    texts = [part for file in files for part in chunks(file.read_text("utf-8"))]
    return [{"id": f"noise-{number}", "text": text} for number, text in enumerate(texts)]


@contextmanager
def _service(directory: Path) -> Iterator[tuple[TestClient, KeyStore]]:
    settings = Settings(_env_file=None, data_dir=directory, log_level="error")
    with TestClient(create_app(settings), base_url="http://127.0.0.1:8000") as service:
        engine = open_blocking(settings.database)
        try:
            yield service, KeyStore(engine, time.time)
        finally:
            engine.dispose()


def _store(what: str, library: Library, documents: list[dict[str, Any]]) -> None:
    size = sum(len(one["text"]) for one in documents)
    started = time.perf_counter()
    library.store(documents)
    print(f"{size / (time.perf_counter() - started):>12,.0f} characters/s stored: {what}")


def _show(what: str, library: Library) -> None:
    took: list[float] = []

    def query(body: Any) -> Any:
        started = time.perf_counter()
        reply = library.query(body)
        took.append(time.perf_counter() - started)
        return reply

    answered = list(bilingual.ask(query))
    at_1, at_3 = bilingual.recall(answered, 1), bilingual.recall(answered, 3)
    print(
        f"recall@1 {at_1:.3f}  recall@3 {at_3:.3f}  of {len(answered)} questions, "
        f"{statistics.median(took) * 1000:.1f} ms each, at most {max(took) * 1000:.0f}: {what}"
    )


if __name__ == "__main__":
    main()
