"""A caller that waited in vain for its turn is told so, in the form of the interface it called."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from plugin.app import create_app
from plugin.auth.keys import KeyStore
from plugin.settings import Settings
from plugin.storage.database import open_blocking
from tests.inside import inside


@pytest.fixture
def full(tmp_path: Path) -> Iterator[TestClient]:
    """A service whose connections to the database are all taken, and a caller with a key."""
    settings = Settings(_env_file=None, data_dir=tmp_path, log_level="error", engine="none")
    with TestClient(create_app(settings), base_url="http://127.0.0.1:8000") as client:
        engine = open_blocking(settings.database)
        key = KeyStore(engine, time.time).create("tester", ("*",)).key
        engine.dispose()
        client.headers["authorization"] = f"Bearer {key}"
        assert client.get("/todos").status_code == 200
        connections = inside(client).state.services.pools.database
        share, connections.share = connections.share, 0
        yield client
        connections.share = share


def test_an_operation_answers_with_a_problem(full: TestClient) -> None:
    reply = full.get("/todos")
    assert reply.status_code == 503
    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.headers["retry-after"] == "1"
    assert reply.json()["code"] == "overloaded"


def test_the_gpt_api_answers_in_the_form_of_openai(full: TestClient) -> None:
    reply = full.get("/v1/files")
    assert reply.status_code == 503
    assert reply.headers["retry-after"] == "1"
    error = reply.json()["error"]
    assert (error["code"], error["type"]) == ("overloaded", "server_error")
    assert "Retry after 1 s" in error["message"]
