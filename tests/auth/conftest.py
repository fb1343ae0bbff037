from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Engine

from plugin.auth.key_ring import KeyRing
from plugin.auth.keys import CHANGES, KeyStore, find_secret
from plugin.storage.database import ChangeWatch, Commits, open_blocking
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
def commits(url: str) -> Iterator[Commits]:
    commits = Commits(url)
    yield commits
    commits.close()


@pytest.fixture
def ring(commits: Commits, clock: Clock) -> KeyRing:
    return KeyRing(partial(find_secret, commits), ChangeWatch(commits, CHANGES), clock)
