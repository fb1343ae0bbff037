"""The stand-in for Open-Meteo, for services that run as processes of their own."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tests.operations.conftest import OpenMeteo, _Handler


class _Anywhere(_Handler):
    """Knows every place, however it is spelled."""

    def _search(self, asked: dict[str, str]) -> tuple[int, bytes]:
        return super()._search({**asked, "name": "boston", "language": "en"})


@contextmanager
def weather_source(*, everywhere: bool = False) -> Iterator[OpenMeteo]:
    """It listens on loopback; `everywhere` lets it find any place that is asked for."""
    with OpenMeteo() as server:
        if everywhere:
            server.RequestHandlerClass = _Anywhere
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def settings_for(source: OpenMeteo) -> dict[str, str]:
    """What makes a service ask it."""
    return {
        "PLUGIN_WEATHER_FORECAST_URL": f"{source.url}/v1/forecast",
        "PLUGIN_WEATHER_GEOCODING_URL": f"{source.url}/v1/search",
    }
