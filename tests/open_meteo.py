"""A stand-in for Open-Meteo: a real server on loopback that speaks its formats."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

BEIJING = {
    "id": 1816670,
    "name": "北京",
    "latitude": 39.9075,
    "longitude": 116.39723,
    "elevation": 49.0,
    "feature_code": "PPLC",
    "country_code": "CN",
    "admin1_id": 2038349,
    "timezone": "Asia/Shanghai",
    "population": 18960744,
    "country_id": 1814991,
    "country": "中国",
    "admin1": "北京市",
}
HAMLET = {
    "id": 8404324,
    "name": "北京",
    "latitude": 30.72608,
    "longitude": 108.67483,
    "elevation": 480.0,
    "feature_code": "PPL",
    "country_code": "CN",
    "timezone": "Asia/Shanghai",
    "country": "中国",
    "admin1": "重庆市",
}


def city(name: str, country: str, admin1: str, population: int, code: str) -> dict[str, Any]:
    return {
        "id": abs(hash((name, admin1))) % 10_000_000,
        "name": name,
        "latitude": 42.0 + population % 7,
        "longitude": -71.0,
        "elevation": 10.0,
        "feature_code": "PPL",
        "country_code": code,
        "timezone": "America/New_York",
        "population": population,
        "country": country,
        "admin1": admin1,
    }


# Open-Meteo knows Chinese names under language=zh alone, and ranks the hamlets first.
GAZETTEER: dict[tuple[str, str], list[dict[str, Any]]] = {
    ("zh", "北京"): [HAMLET, BEIJING],
    ("en", "boston"): [
        city("Boston", "United States", "Massachusetts", 617594, "US"),
        city("Boston", "United Kingdom", "England", 41340, "GB"),
    ],
    ("en", "springfield"): [
        city("Springfield", "United States", "Massachusetts", 155929, "US"),
        city("Springfield", "United States", "Missouri", 169176, "US"),
        city("Springfield", "United States", "Illinois", 116565, "US"),
    ],
    ("en", "muenchen"): [
        city("Munich", "Germany", "Bavaria", 1260391, "DE"),
        city("Old Munich", "Germany", "Bavaria", 9260391, "DE"),
    ],
}


class OpenMeteo(ThreadingHTTPServer):
    """Speaks Open-Meteo's formats; `current` is what the forecast says, `broken` replaces it."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.reset()

    def reset(self) -> None:
        """Forget what was asked, and answer as at first."""
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.current: dict[str, Any] = {
            "time": "2026-11-23T17:30",
            "interval": 900,
            "temperature_2m": 12.4,
            "weather_code": 2,
            "wind_speed_10m": 9.7,
        }
        self.broken: tuple[int, bytes] | None = None
        self.delay = 0.0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: OpenMeteo
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path, query = urlsplit(self.path).path, urlsplit(self.path).query
        asked = {name: values[0] for name, values in parse_qs(query).items()}
        self.server.asked.append((path, asked))
        status, body = self._search(asked) if path == "/v1/search" else self._forecast(asked)
        self.send_response(status)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _search(self, asked: dict[str, str]) -> tuple[int, bytes]:
        found = GAZETTEER.get((asked.get("language", "en"), asked["name"].casefold()), [])
        answer: dict[str, Any] = {"results": found} if found else {}
        return 200, json.dumps({**answer, "generationtime_ms": 0.7}).encode()

    def _forecast(self, asked: dict[str, str]) -> tuple[int, bytes]:
        if self.server.delay:
            time.sleep(self.server.delay)
        if self.server.broken:
            return self.server.broken
        fahrenheit = asked.get("temperature_unit") == "fahrenheit"
        answer = {
            "latitude": float(asked["latitude"]),
            "longitude": float(asked["longitude"]),
            "generationtime_ms": 0.05,
            "utc_offset_seconds": 28800,
            "timezone": "Asia/Shanghai",
            "timezone_abbreviation": "GMT+8",
            "elevation": 47.0,
            "current_units": {
                "time": "iso8601",
                "interval": "seconds",
                "temperature_2m": "°F" if fahrenheit else "°C",
                "weather_code": "wmo code",
                "wind_speed_10m": "km/h",
            },
            "current": self.server.current,
        }
        return 200, json.dumps(answer, ensure_ascii=False).encode()

    def log_message(self, *_: Any) -> None:
        pass


class _Anywhere(_Handler):
    """Knows every place, however it is spelled."""

    def _search(self, asked: dict[str, str]) -> tuple[int, bytes]:
        return super()._search({**asked, "name": "boston", "language": "en"})


@contextmanager
def weather_source(*, everywhere: bool = False) -> Iterator[OpenMeteo]:
    """The stand-in, listening; `everywhere` lets it find any place that is asked for."""
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
    """What makes a service that runs as a process of its own ask the stand-in."""
    return {
        "PLUGIN_WEATHER_FORECAST_URL": f"{source.url}/v1/forecast",
        "PLUGIN_WEATHER_GEOCODING_URL": f"{source.url}/v1/search",
    }
