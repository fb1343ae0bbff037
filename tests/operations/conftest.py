"""The whole service on a throw-away database, one for each test module."""

import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from httpx2 import Response
from sqlalchemy.ext.asyncio import AsyncEngine

from plugin.app import create_app
from plugin.auth.keys import KeyStore
from plugin.settings import Settings
from plugin.storage import migrate
from plugin.storage.database import open_blocking, open_database
from tests.open_meteo import OpenMeteo


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory, weather_server: OpenMeteo) -> Settings:
    return Settings(
        _env_file=None,
        data_dir=tmp_path_factory.mktemp("data"),
        log_level="error",
        weather_forecast_url=f"{weather_server.url}/v1/forecast",
        weather_geocoding_url=f"{weather_server.url}/v1/search",
    )


@pytest.fixture(scope="module")
def service(settings: Settings) -> Iterator[TestClient]:
    """The service, without a key; what its callers keep is apart, so a module shares it."""
    with TestClient(create_app(settings), base_url="http://127.0.0.1:8000") as client:
        yield client


class Caller:
    """Calls the one running service with a key."""

    def __init__(self, service: TestClient, key: str) -> None:
        self._service = service
        self._headers = {"Authorization": f"Bearer {key}"}

    def request(
        self, method: str, path: str, *, content_type: str | None = None, **options: Any
    ) -> Response:
        headers = self._headers | ({"Content-Type": content_type} if content_type else {})
        return self._service.request(method, path, headers=headers, **options)

    def get(self, path: str, **options: Any) -> Response:
        return self.request("GET", path, **options)

    def post(self, path: str, **options: Any) -> Response:
        return self.request("POST", path, **options)

    def delete(self, path: str) -> Response:
        return self.request("DELETE", path)


CallAs = Callable[..., Caller]


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
def caller(call_as: CallAs) -> Caller:
    """A caller whose key may do everything."""
    return call_as("tester")


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[AsyncEngine]:
    """An empty database without a service."""
    url = f"sqlite:///{tmp_path / 'plugin.db'}"
    migrate.prepare(tmp_path, url)
    engine = open_database(url)
    yield engine
    await engine.dispose()
