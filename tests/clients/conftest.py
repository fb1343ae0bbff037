"""One service with its engine for all clients."""

from collections.abc import Iterator

import pytest

from tests.clients.gpt_service import GptService, serving_gpt


@pytest.fixture(scope="session")
def gpt(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GptService]:
    with serving_gpt(tmp_path_factory.mktemp("gpt")) as service:
        yield service
