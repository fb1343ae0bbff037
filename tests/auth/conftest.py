from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from plugin.auth.key_ring import KeyRing
from plugin.auth.keys import KeyStore
from plugin.storage.database import ChangeWatch, open_blocking
from plugin.storage.migrate import upgrade


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def url(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path / 'plugin.db'}"
    upgrade(url)
    return url


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    engine = open_blocking(url)
    yield engine
    engine.dispose()


@pytest.fixture
def store(engine: Engine, clock: Clock) -> KeyStore:
    return KeyStore(engine, clock)


@pytest.fixture
def ring(url: str, store: KeyStore, clock: Clock) -> Iterator[KeyRing]:
    watch = ChangeWatch(url, "api_key_changes")
    yield KeyRing(store.list, watch, clock)
    watch.close()
