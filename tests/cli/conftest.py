"""The command line of the GPT API with a scripted service behind it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.scripted_gpt_api import CommandLine, GptApi, gpt_api, surroundings

KEY = "sk-the-secret-of-the-tests"


@pytest.fixture
def service() -> Iterator[GptApi]:
    with gpt_api() as api:
        yield api


@pytest.fixture
def command(tmp_path: Path, service: GptApi) -> CommandLine:
    """`plugin …` with the service's address and a key in its environment."""
    named = {"OPENAI_BASE_URL": service.url, "OPENAI_API_KEY": KEY}
    return CommandLine(tmp_path, surroundings(tmp_path, **named))
