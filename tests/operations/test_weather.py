import json
from typing import Any

import pytest

from plugin.errors import SourceUnavailable
from plugin.operations.open_meteo import OpenMeteo
from plugin.outbound.client import GuardedClient
from tests.open_meteo import weather_source


def test_the_weather_of_a_place(caller: Any, open_meteo: Any) -> None:
    reply = caller.get("/weather", params={"location": "Boston"})
    assert reply.status_code == 200, reply.text
    assert reply.json() == {
        "location": "Boston",
        "region": "Massachusetts",
        "country": "United States",
        "temperature": 12.4,
        "unit": "celsius",
        "condition": "partly cloudy",
        "wind_speed_kmh": 9.7,
        "observed_at": "2026-11-23T17:30:00+08:00",
        "attribution": "Weather data by Open-Meteo.com (CC BY 4.0)",
    }
    (_, searched), (path, asked) = open_meteo.asked
    assert searched == {"name": "Boston", "count": "20", "language": "en", "format": "json"}
    assert path == "/v1/forecast"
    assert asked["current"] == "temperature_2m,weather_code,wind_speed_10m"
    assert asked["temperature_unit"] == "celsius"


def test_the_unit_is_asked_for_and_told(caller: Any, open_meteo: Any) -> None:
    reply = caller.get("/weather?location=Boston&unit=fahrenheit")
    assert reply.json()["unit"] == "fahrenheit"
    assert open_meteo.asked[-1][1]["temperature_unit"] == "fahrenheit"


def test_a_chinese_name_finds_the_capital_not_the_hamlet(caller: Any) -> None:
    for location in ("北京", "北京市", "北京，中国"):
        reply = caller.get("/weather", params={"location": location})
        assert reply.json()["region"] == "北京市", reply.text


@pytest.mark.parametrize(
    ("location", "region"),
    [
        ("Springfield", "Missouri"),
        ("Springfield, Illinois", "Illinois"),
        ("springfield ,illinois", "Illinois"),
        ("Boston, United Kingdom", "England"),
        ("Boston, GB", "England"),
        ("Boston, Nowhere", "Massachusetts"),
        ("Muenchen", "Bavaria"),
    ],
)
def test_the_place_most_likely_meant(caller: Any, location: str, region: str) -> None:
    reply = caller.get("/weather", params={"location": location})
    assert reply.json()["region"] == region, reply.text


def test_without_an_equal_name_the_source_knows_best(caller: Any) -> None:
    assert caller.get("/weather?location=Muenchen").json()["location"] == "Munich"


def test_an_unknown_place_is_said_to_be_unknown(caller: Any, open_meteo: Any) -> None:
    reply = caller.get("/weather", params={"location": "Xyzzyville, Nowhere"})
    assert reply.status_code == 404
    assert "'Xyzzyville, Nowhere'" in reply.json()["detail"]
    assert "after a comma" in reply.json()["detail"]
    assert [asked["name"] for _, asked in open_meteo.asked] == [
        *("Xyzzyville, Nowhere", "Xyzzyville")
    ]


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, json.dumps({"error": True, "reason": "Cannot initialize variable"}).encode()),
        (429, json.dumps({"error": True, "reason": "Daily limit exceeded"}).encode()),
        (500, b"oops"),
        (200, b"<html>maintenance</html>"),
        (200, b"{}"),
        (200, b"[]"),
        (200, b'{"utc_offset_seconds":0,"current_units":{},"current":{}}'),
    ],
)
def test_a_bad_answer_is_no_weather(caller: Any, open_meteo: Any, status: int, body: bytes) -> None:
    open_meteo.broken = (status, body)
    reply = caller.get("/weather?location=Boston")
    assert reply.status_code == 503
    assert reply.json()["code"] == "source_unavailable"
    assert "do not guess" in reply.json()["detail"]


def test_a_value_that_is_missing_is_not_made_up(caller: Any, open_meteo: Any) -> None:
    open_meteo.current["temperature_2m"] = None
    assert caller.get("/weather?location=Boston").status_code == 503


def test_an_answer_in_another_unit_is_not_relabelled(caller: Any, open_meteo: Any) -> None:
    open_meteo.broken = (
        200,
        json.dumps(
            {
                "utc_offset_seconds": 0,
                "current_units": {"temperature_2m": "°F", "wind_speed_10m": "mp/h"},
                "current": open_meteo.current,
            }
        ).encode(),
    )
    assert caller.get("/weather?location=Boston").status_code == 503


async def test_a_source_that_is_gone_is_said_to_be_gone() -> None:
    with weather_source() as source:
        gone = source.url
    async with GuardedClient(trusted=(gone,)) as client:
        weather = OpenMeteo(client, forecast_url=gone, geocoding_url=gone)
        with pytest.raises(SourceUnavailable, match=r"127\.0\.0\.1 cannot be reached"):
            await weather.current("Boston", "celsius")


def test_an_unknown_code_is_told_as_it_is(caller: Any, open_meteo: Any) -> None:
    open_meteo.current["weather_code"] = 42
    assert caller.get("/weather?location=Boston").json()["condition"] == "weather code 42"


@pytest.mark.parametrize(
    ("query", "argument", "nearest"),
    [
        ("", "location", None),
        ("?location=", "location", None),
        ("?location=B", "location", None),
        ("?location=Boston&unit=Celsius", "unit", "celsius"),
        ("?location=Boston&unit=kelvin", "unit", None),
        ("?city=Boston&location=Boston", "city", None),
        ("?Location=Boston", "Location", "location"),
    ],
)
def test_a_wrong_call_is_refused_with_the_way_out(
    caller: Any, open_meteo: Any, query: str, argument: str, nearest: str | None
) -> None:
    reply = caller.get(f"/weather{query}")
    assert reply.status_code == 422
    errors = {error["argument"]: error for error in reply.json()["errors"]}
    assert errors[argument].get("nearest") == nearest
    assert open_meteo.asked == []


def test_what_the_source_leaves_out_is_null_and_not_invented(caller: Any, open_meteo: Any) -> None:
    open_meteo.current = {"time": "2026-11-23T17:30", "temperature_2m": 12.4}
    reply = caller.get("/weather?location=Boston")
    assert reply.status_code == 200
    told = reply.json()
    assert (told["temperature"], told["condition"], told["wind_speed_kmh"]) == (12.4, None, None)
