"""The GPT API of a whole service on a throw-away database, called by keys."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from httpx2 import Response

from plugin.app import create_app
from plugin.auth.keys import KeyStore
from plugin.settings import Settings
from plugin.storage.database import open_blocking


class Caller:
    """Calls the one running service with a key."""

    def __init__(self, service: TestClient, key: str) -> None:
        self._service = service
        self._headers = {"authorization": f"Bearer {key}"}

    def __call__(self, method: str, path: str, **options: Any) -> Response:
        headers = self._headers | options.pop("headers", {})
        return self._service.request(method, path, headers=headers, **options)


CallAs = Callable[..., Caller]


def settings_in(directory: Path) -> Settings:
    """A service that keeps its data in `directory`, with the GPT API alone."""
    return Settings(
        _env_file=None,
        data_dir=directory,
        log_level="error",
        built_in=("none",),
        engine="none",
        file_limit=200_000,
    )


def serving(settings: Settings) -> TestClient:
    """The service for one `with`."""
    return TestClient(create_app(settings), base_url="http://127.0.0.1:8000")


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return settings_in(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def service(settings: Settings) -> Iterator[TestClient]:
    """The service, without a key; what its callers keep is apart, so a module shares it."""
    with serving(settings) as client:
        yield client


@pytest.fixture
def call_as(settings: Settings, service: TestClient) -> CallAs:
    """Callers with a key of their own and these scopes."""

    def make(name: str, *scopes: str) -> Caller:
        engine = open_blocking(settings.database)
        try:
            return Caller(service, KeyStore(engine, time.time).create(name, scopes or ("*",)).key)
        finally:
            engine.dispose()

    return make


@pytest.fixture
def call(call_as: CallAs) -> Caller:
    """A caller whose key may do everything."""
    return call_as("tester")
