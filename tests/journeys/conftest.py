"""A weather source for services that run as processes of their own."""

from collections.abc import Iterator

import pytest

from tests.journeys.weather import settings_for, weather_source
from tests.operations.conftest import OpenMeteo


@pytest.fixture
def open_meteo() -> Iterator[OpenMeteo]:
    """Speaks Open-Meteo's formats on loopback."""
    with weather_source() as source:
        yield source


@pytest.fixture
def weather(open_meteo: OpenMeteo) -> dict[str, str]:
    """The settings that make a service ask the stand-in."""
    return settings_for(open_meteo)
