"""The service mounted below a path of another application answers as it does at the root."""

import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from plugin.app import create_app
from plugin.auth.keys import KeyStore
from plugin.settings import Settings
from plugin.storage.database import open_blocking
from tests.inside import fastapi_below


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[TestClient]:
    """A client of an application that has the service below `/ai`, with a key."""
    settings = Settings(_env_file=None, data_dir=tmp_path, log_level="error", engine="none")
    service = create_app(settings)
    below = fastapi_below(service)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with below.router.lifespan_context(below):
            yield

    outer = FastAPI(lifespan=lifespan)
    outer.mount("/ai", service)
    with TestClient(outer, base_url="http://127.0.0.1:8000/ai") as client:
        engine = open_blocking(settings.database)
        key = KeyStore(engine, time.time).create("tester", ("*",)).key
        engine.dispose()
        client.headers["authorization"] = f"Bearer {key}"
        yield client


def test_each_interface_has_its_form_its_headers_and_its_limits(mounted: TestClient) -> None:
    models = mounted.get("/v1/models")
    assert models.status_code == 200
    assert models.headers["openai-version"]
    unknown = mounted.get("/v1/nothing")
    assert unknown.json()["error"]["code"] == "unknown_url"
    assert "openai-version" not in mounted.get("/todos").headers
    # an upload may be larger than another body
    large = mounted.post(
        "/v1/files", data={"purpose": "assistants"}, files={"file": ("a.txt", bytes(2_000_000))}
    )
    assert large.status_code == 200, large.text
    assert mounted.post("/todos", content=bytes(2_000_000)).status_code == 413
