"""A weather source for services that run as processes of their own."""

import threading
from collections.abc import Iterator

import pytest

from tests.operations.conftest import OpenMeteo


@pytest.fixture
def open_meteo() -> Iterator[OpenMeteo]:
    """Speaks Open-Meteo's formats on loopback."""
    with OpenMeteo() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def weather(open_meteo: OpenMeteo) -> dict[str, str]:
    """The settings that make a service ask the stand-in."""
    return {
        "PLUGIN_WEATHER_FORECAST_URL": f"{open_meteo.url}/v1/forecast",
        "PLUGIN_WEATHER_GEOCODING_URL": f"{open_meteo.url}/v1/search",
    }
