"""Parameters narrowed to what a request says: what is offered, and that all of it is valid."""

import random
from typing import Any

import pytest

from plugin.engines.llama.grammar.evidence import narrowed
from plugin.engines.llama.grammar.schema_form import Form
from plugin.engines.llama.words import message as message_words
from tests.engines.llama.schemas import Collection, each_collection
from tests.engines.llama.tool_cases import CONVERT, FLIGHT, LIGHT, MAIL, WEATHER_ZH


def offered(tool: dict[str, Any], message: str) -> dict[str, Any]:
    """The properties that are left, each with the values that are offered."""
    function = tool["function"]
    asking = f"{function['name']} {function['description']}"
    root = narrowed(Form(function["parameters"]), message, asking).root
    assert isinstance(root, dict)
    return {name: part.get("enum") for name, part in root["properties"].items()}


def of(**properties: Any) -> dict[str, Any]:
    parameters = {"type": "object", "properties": properties, "required": list(properties)}
    return {"function": {"name": "save", "description": "Save it", "parameters": parameters}}


def test_values_of_enums_that_are_named_in_their_order() -> None:
    found = offered(CONVERT, "Convert 200 GBP to JPY")
    assert found == {"amount": [200], "from_currency": ["GBP"], "to_currency": ["JPY"]}


def test_what_can_be_left_out_is_left_out_unless_it_is_spoken_of() -> None:
    assert "passengers" not in offered(FLIGHT, "I fly from Rome to Oslo")
    assert offered(FLIGHT, "I fly from Rome to Oslo, 3 passengers")["passengers"] == [3]


def test_places_after_from_and_to() -> None:
    found = offered(FLIGHT, "I fly from Rome to Oslo")
    assert (found["origin"], found["destination"]) == (["Rome"], ["Oslo"])


def test_an_address_is_an_address() -> None:
    assert offered(MAIL, "Write to anna@example.com about lunch")["to"] == ["anna@example.com"]


def test_a_value_of_one_parameter_is_not_offered_to_another() -> None:
    date = {"type": "string", "format": "date"}
    found = offered(of(title={"type": "string"}, date=date), "Save party on March 3, 2027")
    assert found["date"] == ["2027-03-03"]
    assert found["title"] == ["party"]


@pytest.mark.parametrize(
    ("said", "dates"),
    [
        ("on 3rd of Sept 2026", ["2026-09-03"]),
        ("on Dec. 1st, 2026", ["2026-12-01"]),
        ("2026年5月1日", ["2026-05-01"]),
        ("on February 30, 2026, or 2026-13-01", []),
        ("from the market 12, 2026", []),
    ],
)
def test_dates_are_those_that_there_are(said: str, dates: list[str]) -> None:
    assert message_words.dates(said) == dates


@pytest.mark.parametrize(
    ("said", "numbers"),
    [
        ("order 12345678901234567", [12345678901234567]),
        ("-1,200.50 and twelve", [-1200.5, 12]),
        ("9" * 400, []),
    ],
)
def test_numbers_are_exact(said: str, numbers: list[float]) -> None:
    assert message_words.numbers(said) == numbers
    assert offered(of(count={"type": "number"}), said)["count"] == (numbers or None)


def test_what_is_quoted_is_the_text() -> None:
    assert offered(of(text={"type": "string"}), "Save 'buy milk' for me")["text"] == ["buy milk"]


def test_chinese_without_the_words_that_ask() -> None:
    assert offered(WEATHER_ZH, "请告诉我广州现在的天气怎么样？")["location"] == ["广州"]


def test_names_of_an_enum_are_whole_words() -> None:
    assert offered(LIGHT, "Turn on the lamp in the bedroom")["state"] == ["on"]
    assert offered(LIGHT, "The lamp on my son's bathroom console")["room"] == ["bathroom"]


@pytest.mark.parametrize(
    "message", ["", "?", "word " * 500, "7 " * 200, "字" * 500, "9" * 400, "''\"“”《》"]
)
def test_any_message(message: str) -> None:
    for tool in (CONVERT, FLIGHT, LIGHT, MAIL, WEATHER_ZH):
        assert offered(tool, message) is not None


@each_collection
def test_whatever_is_offered_is_valid(collection: Collection) -> None:
    chance = random.Random(2)  # noqa: S311 - a sample, not a secret
    requests = collection.requests()
    seen = 0
    for name, schema in chance.sample(list(collection.tools()), 200):
        message = chance.choice(requests)
        if name in collection.impossible:
            continue
        form = Form(schema)
        root = narrowed(form, message, name).root
        assert isinstance(root, dict)
        for key, part in root.get("properties", {}).items():
            for value in part.get("enum", ()):
                seen += 1
                absent = value is None
                assert absent or form.accepts(form.root["properties"][key], value)  # type: ignore[index]
    assert seen > collection.offered
