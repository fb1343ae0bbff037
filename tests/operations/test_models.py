import enum
import json
from datetime import date, datetime, timedelta
from typing import Annotated, Any, Literal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from plugin.operations import Arguments, QueryArguments
from plugin.operations.models import _harden


class Size(enum.Enum):
    SMALL = "small"


class Inner(Arguments):
    count: int


class Order(Arguments):
    count: Annotated[int, Field(ge=1, le=9)] | None = None
    price: float | None = None
    gift: bool | None = None
    name: str | None = None
    size: Size | None = None
    colour: Literal["red"] | None = None
    day: date | None = None
    at: datetime | None = None
    wait: timedelta | None = None
    key: UUID | None = None
    pair: tuple[int, str] | None = None
    tags: set[str] | None = None
    inner: Inner | None = None
    parts: "tuple[Order, ...]" = ()
    either: int | str | None = None
    by_name: dict[str, int] | None = None


GOOD = [
    *({"count": 3}, {"count": 3.0}, {"price": 3}, {"price": 0.5}, {"gift": True}, {"name": "3"}),
    *({"size": "small"}, {"colour": "red"}, {"day": "2026-11-23"}, {"wait": "PT15M"}),
    *({"at": "2026-11-23T09:30:00Z"}, {"key": "3f2c8f0e-6f0b-4a55-9d9c-2f6f2a1f0b11"}),
    *({"pair": [1.0, "x"]}, {"tags": ["a", "b"]}, {"inner": {"count": 2.0}}, {"either": 3.0}),
    *({"parts": [{"parts": [{"count": 9.0}]}]}, {"either": "3"}, {"by_name": {"a": 1.0}}),
]

BAD = [
    *({"count": "3"}, {"count": True}, {"count": 3.5}, {"count": 10.0}, {"count": 1e300}),
    *({"price": "0.5"}, {"price": True}, {"gift": "true"}, {"gift": 1}, {"gift": 0.0}),
    *({"name": 3}, {"name": "\ud800"}, {"size": "Small"}, {"size": 1}, {"colour": "Red"}),
    *({"day": 20000}, {"at": 1.5}, {"wait": 60}, {"key": 7}, {"pair": [1]}, {"tags": "a"}),
    *({"inner": {"count": "2"}}, {"inner": {"count": True}}, {"parts": [{"count": "9"}]}),
    *({"unknown": 1}, {"parts": [{"unknown": 1}]}, {"either": True}, {"by_name": {"a": "1"}}),
    *({"by_name": {"\udfff": 1}}, {"price": float("nan")}, {"price": float("inf")}),
]


@pytest.mark.parametrize("body", GOOD)
def test_what_json_schema_accepts_is_accepted(body: dict[str, Any]) -> None:
    Order.model_validate(body)
    Order.model_validate_json(json.dumps(body))


@pytest.mark.parametrize("body", BAD)
def test_what_is_only_nearly_right_is_refused(body: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Order.model_validate(body)


def test_an_integral_float_becomes_an_integer() -> None:
    count = Order.model_validate({"count": 3.0}).count
    assert (count, type(count)) == (3, int)


def test_strictness_leaves_the_published_schema_as_it_is() -> None:
    schema = Order.model_json_schema()["$defs"]["Order"]
    assert schema["additionalProperties"] is False
    assert schema["properties"]["count"]["anyOf"][0] == {
        "type": "integer",
        "minimum": 1,
        "maximum": 9,
    }
    assert schema["properties"]["day"]["anyOf"][0] == {"type": "string", "format": "date"}


def test_a_model_inside_must_be_strict_too() -> None:
    class Lax(BaseModel):
        count: int

    with pytest.raises(TypeError, match=r"Basket\.lines: Lax must be Arguments"):
        type("Basket", (Arguments,), {"__annotations__": {"lines": list[Lax] | None}})


class Number(Arguments):
    value: int


@given(st.one_of(st.integers(), st.floats(), st.booleans(), st.text(), st.none()))
def test_an_integer_is_what_json_schema_calls_one(value: Any) -> None:
    integral = not isinstance(value, bool) and (
        isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    )
    try:
        accepted = Number.model_validate({"value": value}).value == value
    except ValidationError:
        accepted = False
    assert accepted == integral


class Search(QueryArguments):
    """A query string."""

    limit: int = 10
    exact: bool = False


def test_in_a_query_text_that_reads_as_the_type_is_the_type() -> None:
    assert Search.model_validate({"limit": "3", "exact": "true"}) == Search(limit=3, exact=True)
    for wrong in ({"limit": "three"}, {"limit": "3.5"}, {"exact": "maybe"}, {"offset": "1"}):
        with pytest.raises(ValidationError):
            Search.model_validate(wrong)


class Odd(Arguments):
    """Fields named like the words that schemas are made of."""

    type: int
    metadata: int
    fields: bool = False


def test_a_field_may_be_named_like_a_word_of_schemas() -> None:
    assert Odd.model_validate({"type": 3.0, "metadata": 1}).type == 3
    for wrong in ({"type": "3", "metadata": 1}, {"type": 3, "metadata": True}):
        with pytest.raises(ValidationError):
            Odd.model_validate(wrong)


def test_the_core_schema_has_the_form_that_is_hardened() -> None:
    class Inner(BaseModel):
        size: int = 1

    class Outer(BaseModel):
        flag: bool
        inner: list[Inner] | None = None
        union: int | str = 0

    schema: Any = TypeAdapter(Outer).core_schema
    found = json.dumps(schema, default=repr)
    for kind in ("bool", "int", "str", "list", "nullable", "union", "model", "model-fields"):
        assert f'"type": "{kind}"' in found, kind
    fields = schema["schema"]["fields"]
    assert fields["flag"]["schema"] == {"type": "bool"}
    assert "choices" in fields["union"]["schema"]["schema"]
    hardened: Any = _harden(schema)
    assert hardened["schema"]["fields"]["flag"]["schema"]["strict"] is True
