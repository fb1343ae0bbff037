"""Open-Meteo, asked for the weather at a place: a geocoding search, then the current conditions.

Both formats are described at https://open-meteo.com/en/docs and …/docs/geocoding-api.
"""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from pydantic import BaseModel, ValidationError

from plugin.errors import NotFound, SourceUnavailable
from plugin.outbound.client import GuardedClient

ATTRIBUTION = "Weather data by Open-Meteo.com (CC BY 4.0)"

_CANDIDATES = 20
_HAN = re.compile(r"[\u3400-\u9fff]")
_CURRENT = "temperature_2m,weather_code,wind_speed_10m"
_UNITS = {"celsius": "°C", "fahrenheit": "°F"}

# WMO code table 4677, in the selection that Open-Meteo's models use
_CONDITIONS = {
    0: "clear sky",
    1: "mainly clear",
    2: "partly cloudy",
    3: "overcast",
    45: "fog",
    48: "depositing rime fog",
    51: "light drizzle",
    53: "moderate drizzle",
    55: "dense drizzle",
    56: "light freezing drizzle",
    57: "dense freezing drizzle",
    61: "slight rain",
    63: "moderate rain",
    65: "heavy rain",
    66: "light freezing rain",
    67: "heavy freezing rain",
    71: "slight snow fall",
    73: "moderate snow fall",
    75: "heavy snow fall",
    77: "snow grains",
    80: "slight rain showers",
    81: "moderate rain showers",
    82: "violent rain showers",
    85: "slight snow showers",
    86: "heavy snow showers",
    95: "thunderstorm",
    96: "thunderstorm with slight hail",
    99: "thunderstorm with heavy hail",
}


class Place(BaseModel):
    """A result of the geocoding search, as far as it is used."""

    name: str
    latitude: float
    longitude: float
    country: str | None = None
    country_code: str | None = None
    admin1: str | None = None
    population: int = 0


class _Search(BaseModel):
    results: list[Place] = []


class _Units(BaseModel):
    temperature_2m: str | None = None
    wind_speed_10m: str | None = None


class _Values(BaseModel):
    time: datetime
    temperature_2m: float
    weather_code: int | None = None
    wind_speed_10m: float | None = None


class _Forecast(BaseModel):
    utc_offset_seconds: int = 0  # the source's own default is GMT
    current_units: _Units = _Units()
    current: _Values


@dataclass(frozen=True, slots=True)
class Conditions:
    """The weather at a place. Wind in km/h; `observed_at` carries the place's own UTC offset.

    What the source does not say is None.
    """

    place: Place
    temperature: float
    condition: str | None
    wind_speed: float | None
    observed_at: datetime


class OpenMeteo:
    """The weather source. `client` must trust the origins of its addresses, which are settings."""

    def __init__(self, client: GuardedClient, *, forecast_url: str, geocoding_url: str) -> None:
        self._client = client
        self._forecast_url = forecast_url
        self._geocoding_url = geocoding_url

    async def current(self, location: str, unit: str) -> Conditions:
        """The conditions now at the place that `location` names best; `unit` is of temperature.

        Raises `NotFound` when no place has that name, and `SourceUnavailable` when the source
        cannot be asked or does not answer in its format.
        """
        try:
            place = await self._find(location)
            forecast = await self._forecast(place, unit)
        except (SourceUnavailable, ValidationError) as error:
            why = error.detail if isinstance(error, SourceUnavailable) else "its answer is odd."
            raise SourceUnavailable(
                f"The weather source cannot be asked: {why} Say that the weather is not known now; "
                "do not guess it."
            ) from error
        zone = timezone(timedelta(seconds=forecast.utc_offset_seconds))
        now = forecast.current
        return Conditions(
            place=place,
            temperature=now.temperature_2m,
            condition=_in_words(now.weather_code),
            wind_speed=now.wind_speed_10m,
            observed_at=now.time.replace(tzinfo=zone),
        )

    async def _find(self, location: str) -> Place:
        name = re.sub(r"\s*[,，、]\s*", ", ", location.strip())
        town = name.partition(",")[0]
        for spelling in dict.fromkeys((name, town, _bare(town))):
            places = await self._search(spelling)
            if places:
                return _best(name, places)
        raise NotFound(
            f"No place named {location!r} is known to the weather source. Check the spelling, "
            "name a larger town nearby, and put a region or country after a comma, as in "
            "'Springfield, Illinois'."
        )

    async def _search(self, name: str) -> list[Place]:
        # the source finds Chinese names under Chinese only, and answers in the language it searched
        language = "zh" if _HAN.search(name) else "en"
        answer = await self._client.get_json(
            self._geocoding_url,
            {"name": name, "count": str(_CANDIDATES), "language": language, "format": "json"},
        )
        return _Search.model_validate(answer).results

    async def _forecast(self, place: Place, unit: str) -> _Forecast:
        answer = await self._client.get_json(
            self._forecast_url,
            {
                "latitude": str(place.latitude),
                "longitude": str(place.longitude),
                "current": _CURRENT,
                "temperature_unit": unit,
                "wind_speed_unit": "kmh",
                "timezone": "auto",
            },
        )
        forecast = _Forecast.model_validate(answer)
        units = forecast.current_units
        told = {units.temperature_2m or _UNITS[unit], units.wind_speed_10m or "km/h"}
        if told != {_UNITS[unit], "km/h"}:
            raise SourceUnavailable("it answers in other units than it was asked for.")
        return forecast


def _in_words(code: int | None) -> str | None:
    return None if code is None else _CONDITIONS.get(code, f"weather code {code}")


def _best(name: str, places: list[Place]) -> Place:
    """The place that a person most likely means.

    The source ranks hamlets that are spelled exactly so before a capital, above all in Chinese:
    among equals in name, and in region where one is given, the most populous counts.
    """
    town, _, region = (part.strip().casefold() for part in name.partition(","))
    named = [place for place in places if _bare(place.name.casefold()) == _bare(town)]
    within = [place for place in named or places if region and region in _regions(place)]
    return max(within or named, key=lambda place: place.population, default=places[0])


def _bare(name: str) -> str:
    """上海 for 上海市: people write the word for city, the source often does not."""
    return name.removesuffix("市")


def _regions(place: Place) -> set[str]:
    return {(part or "").casefold() for part in (place.admin1, place.country, place.country_code)}
