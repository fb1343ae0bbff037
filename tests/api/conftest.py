"""The doors of a service that nobody has a key for."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from plugin.app import create_app
from plugin.settings import Settings

WELL_KNOWN = Path(__file__).parents[2] / ".well-known"


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings(
        _env_file=None,
        data_dir=tmp_path_factory.mktemp("data"),
        log_level="error",
        public_url="https://plugin.example.com/",
        well_known_dir=WELL_KNOWN,
    )


@pytest.fixture(scope="module")
def doors(settings: Settings) -> Iterator[TestClient]:
    with TestClient(create_app(settings), base_url="http://127.0.0.1:8000") as client:
        yield client
