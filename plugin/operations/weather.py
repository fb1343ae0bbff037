"""The weather: the function of the guide, answered by Open-Meteo and by nobody's imagination."""

from datetime import datetime
from typing import Annotated, Literal, Protocol

from fastapi import APIRouter, Depends, Query, Request
from pydantic import ConfigDict, Field

from plugin.errors import NotFound, SourceUnavailable
from plugin.operations import QueryArguments, Reply, operation
from plugin.operations.open_meteo import ATTRIBUTION, Conditions

router = APIRouter(prefix="/weather", tags=["weather"])

Unit = Literal["celsius", "fahrenheit"]


class WeatherSource(Protocol):
    """Who knows the weather; `services.weather` is one."""

    async def current(self, location: str, unit: str) -> Conditions:
        """The conditions now. Raises `NotFound` for a place, `SourceUnavailable` for the rest."""


async def _source(request: Request) -> WeatherSource:
    source: WeatherSource = request.app.state.services.weather
    return source


class AskWeather(QueryArguments):
    """Where, and in which unit."""

    location: Annotated[
        str, Field(min_length=2, max_length=100, examples=["San Francisco, California", "上海"])
    ]
    """A city or place in any language; put a region or country after a comma to be exact."""

    unit: Unit = "celsius"
    """The unit of the temperature."""


class CurrentWeather(Reply):
    """The weather at a place, as observed last."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "location": "Shanghai",
                    "region": "Shanghai Municipality",
                    "country": "China",
                    "temperature": 12.4,
                    "unit": "celsius",
                    "condition": "partly cloudy",
                    "wind_speed_kmh": 9.7,
                    "observed_at": "2026-11-23T17:30:00+08:00",
                    "attribution": ATTRIBUTION,
                }
            ]
        }
    )

    location: str
    """The place that was found; tell the user when it is not the one they meant."""

    region: str | None
    """The state or province of the place, if known."""

    country: str | None
    """The country of the place, if known."""

    temperature: float
    """The temperature of the air, in `unit`."""

    unit: Unit
    """The unit of the temperature."""

    condition: str | None
    """The weather in words; null if the source does not say."""

    wind_speed_kmh: float | None
    """The speed of the wind in kilometres per hour; null if the source does not say."""

    observed_at: datetime
    """When this was observed, in the place's local time."""

    attribution: str
    """Whose data this is; name it when you show the weather."""


@router.get("", operation_id="get_current_weather", summary="Get the current weather of a place")
@operation(scope="weather:read", open_world=True, raises=(NotFound, SourceUnavailable))
async def get_current_weather(
    query: Annotated[AskWeather, Query()], source: Annotated[WeatherSource, Depends(_source)]
) -> CurrentWeather:
    """Get the temperature, the condition and the wind at a city or place right now.

    It knows neither forecasts nor the past.
    """
    found = await source.current(query.location, query.unit)
    return CurrentWeather(
        location=found.place.name,
        region=found.place.admin1,
        country=found.place.country,
        temperature=found.temperature,
        unit=query.unit,
        condition=found.condition,
        wind_speed_kmh=found.wind_speed,
        observed_at=found.observed_at,
        attribution=ATTRIBUTION,
    )
