import logging
from collections.abc import Callable, Iterator
from datetime import datetime
from enum import Enum
from typing import Annotated, Any, Literal

import pytest
from fastapi import APIRouter, Body, Header, HTTPException, Path, Query
from pydantic import BaseModel, Field, field_validator

from plugin.errors import NotFound, SourceUnavailable, UpstreamRefused
from plugin.operations import Arguments, QueryArguments, operation


class Unit(Enum):
    """A unit of temperature."""

    CELSIUS = "celsius"
    FAHRENHEIT = "fahrenheit"


class Item(Arguments):
    """One item."""

    name: Annotated[str, Field(min_length=1, max_length=20)]
    count: Annotated[int, Field(ge=1, le=100)] = 1


class Order(Arguments):
    """An order."""

    unit: Unit = Unit.CELSIUS
    express: bool = False
    due: datetime | None = None
    items: Annotated[list[Item], Field(max_length=3)] = Field(default_factory=list)
    code: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] = "ABC"
    price: float | None = None
    choice: int | Item | None = None
    api_key: str = ""
    extra: dict[str, int] = Field(default_factory=dict)

    @field_validator("code")
    @classmethod
    def _known(cls, value: str) -> str:
        if value == "XXX":
            raise ValueError("XXX is reserved")
        return value


class Ask(QueryArguments):
    """A question."""

    unit: Literal["celsius", "fahrenheit"] = "celsius"
    limit: Annotated[int, Field(ge=1, le=10)] = 5


router = APIRouter()


@router.post("/orders", operation_id="order")
@operation(scope="orders:write")
async def order(order: Order) -> dict[str, str]:
    return {"unit": order.unit.value}


@router.get("/orders/{order_id}", operation_id="ask")
@operation(scope="orders:read")
async def ask(
    order_id: Annotated[int, Path(ge=1)],
    query: Annotated[Ask, Query()],
    x_trace: Annotated[int | None, Header()] = None,
) -> dict[str, int]:
    return {"id": order_id, "limit": query.limit, "trace": x_trace or 0}


@router.get("/plain", operation_id="plain")
@operation(scope="orders:read")
async def plain(flag: bool = False, per_page: Annotated[int, Query(alias="perPage")] = 1) -> bool:
    return flag and per_page > 0


class Broken(BaseModel):
    """What the service promises."""

    count: int


@router.get("/fail/{how}", operation_id="fail", response_model=Broken)
@operation(scope="orders:read")
async def fail(how: str) -> Any:
    errors: dict[str, Exception] = {
        "known": NotFound("There is no such thing. Call list_things."),
        "source": SourceUnavailable("The source is away.", headers={"Retry-After": "5"}),
        "teapot": HTTPException(418, {"reason": "short and stout"}, {"x-pot": "tea"}),
        "http": HTTPException(404, "nowhere"),
        "unnamed": HTTPException(499, "the caller left"),
        "upstream": UpstreamRefused("Too many.", status=429, kind="tokens"),
        "surrogate": NotFound("half \ud800 of a pair"),
        "crash": ZeroDivisionError("secret detail"),
        "group": ExceptionGroup("several", [ZeroDivisionError()]),
    }
    if how in errors:
        raise errors[how]
    return {"count": "not a number"}


@router.post("/raw", operation_id="raw")
@operation(scope="orders:write")
async def raw(value: Annotated[int, Body()]) -> int:
    return value


@pytest.fixture
def call(gate: Callable[..., Any]) -> Iterator[Any]:
    return gate(router)  # type: ignore[no-any-return]


async def _refused(call: Any, body: Any) -> dict[str, Any]:
    reply = await call("POST", "/orders", body=body)
    assert reply.status == 422, reply
    assert reply.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = reply.json
    assert problem["status"] == 422
    assert problem["code"] == "invalid_arguments"
    assert problem["request_id"] == reply.headers["x-request-id"]
    return problem


@pytest.mark.parametrize(
    ("how", "status", "code"),
    [("unnamed", 499, "status_499"), ("upstream", 429, "upstream_error")],
)
async def test_a_status_of_its_own_is_answered(call: Any, how: str, status: int, code: str) -> None:
    reply = await call("GET", f"/fail/{how}")
    assert reply.status == status
    assert reply.headers["content-type"] == "application/problem+json"
    assert (reply.json["status"], reply.json["code"]) == (status, code)


@pytest.mark.parametrize(
    ("body", "pointer", "expected", "got", "nearest"),
    [
        ({"unit": "Celcius"}, "/unit", 'one of "celsius", "fahrenheit"', "Celcius", "celsius"),
        ({"unit": "kelvin-ish"}, "/unit", 'one of "celsius", "fahrenheit"', "kelvin-ish", None),
        ({"express": "true"}, "/express", "true or false", "true", True),
        ({"express": None}, "/express", "true or false; or leave it out", None, None),
        ({"price": "1.5"}, "/price", "a number or null", "1.5", 1.5),
        ({"items": '[{"name":"a"}]'}, "/items", None, '[{"name":"a"}]', [{"name": "a"}]),
        (
            {"items": [{"name": "a"}, {"name": "b", "count": 500}]},
            "/items/1/count",
            "a whole number from 1 to 100",
            500,
            100,
        ),
        ({"items": [{"name": "a", "count": 2.5}]}, "/items/0/count", None, 2.5, 2),
        ({"items": [{"count": 2}]}, "/items/0/name", "a text of 1 to 20 characters", None, None),
        ({"code": "abc"}, "/code", "a text matching ^[A-Z]{3}$", "abc", None),
        ({"code": "XXX"}, "/code", "a text matching ^[A-Z]{3}$; XXX is reserved", "XXX", None),
        ({"code": 123}, "/code", None, 123, "123"),
        ({"extra": {"a/b~": "1"}}, "/extra/a~1b~0", "a whole number", "1", 1),
        ({"unti": "celsius"}, "/unti", None, "celsius", "unit"),
        ({"Unit": "celsius"}, "/Unit", None, "celsius", "unit"),
        ({"zzz": 1}, "/zzz", None, 1, None),
        ({"price": 10**400}, "/price", None, None, None),
        ({"items": [{"name": "a", "count": 10**30}]}, "/items/0/count", None, str(10**30), 100),
        ([1, 2], "", None, [1, 2], None),
        ("{}", "", None, "{}", {}),
    ],
)
async def test_a_fault_says_what_to_mend(
    call: Any, body: Any, pointer: str, expected: str | None, got: Any, nearest: Any
) -> None:
    problem = await _refused(call, body)
    fault = next(fault for fault in problem["errors"] if fault["pointer"] == pointer)
    assert expected is None or fault["expected"] == expected
    assert got is None or fault["got"] == got
    assert fault.get("nearest") == nearest
    assert len(problem["errors"]) == 1


async def test_the_detail_is_a_text_that_a_model_can_act_on(call: Any) -> None:
    problem = await _refused(call, {"unit": "Kelvin", "itmes": [], "items": [{}], "express": 1})
    assert problem["detail"] == (
        '`unit` must be one of "celsius", "fahrenheit"; got "Kelvin". '
        "`express` must be true or false; got 1. "
        "`items[0].name` is missing; give a text of 1 to 20 characters. "
        "Unknown argument `itmes`; did you mean `items`? Allowed: unit, express, due, items, code, "
        "price, choice, api_key, extra."
    )


async def test_a_missing_body_is_missing(call: Any) -> None:
    reply = await call("POST", "/orders")
    assert reply.status == 422
    assert reply.json["errors"][0]["argument"] == "body"
    assert reply.json["detail"].startswith("`body` is missing; give an object with unit,")


async def test_of_a_union_the_branch_that_was_meant_is_told(call: Any) -> None:
    problem = await _refused(call, {"choice": {"name": ""}})
    assert [fault["pointer"] for fault in problem["errors"]] == ["/choice/name"]


async def test_what_no_branch_of_a_union_takes_is_told_once(call: Any) -> None:
    problem = await _refused(call, {"choice": "neither"})
    assert [fault["pointer"] for fault in problem["errors"]] == ["/choice"]


async def test_secrets_are_not_repeated(call: Any) -> None:
    problem = await _refused(call, {"api_key": ["hunter2"], "due": {"password": "hunter2"}})
    assert "hunter2" not in str(problem)


async def test_long_values_are_cut(call: Any) -> None:
    problem = await _refused(call, {"code": "x" * 5_000, "due": "y" * 5_000})
    assert len(str(problem)) < 2_000


async def test_many_faults_are_cut(call: Any) -> None:
    problem = await _refused(call, {"extra": {str(number): "x" for number in range(500)}})
    assert len(problem["errors"]) == 20
    assert problem["detail"].endswith("480 more faults are not listed.")
    flood = await _refused(call, {"extra": {str(number): "x" for number in range(5_000)}})
    assert "in 5000 places" in flood["detail"]


@pytest.mark.parametrize(
    ("body", "where"),
    [
        (b'{"unit": "celsius",}', "line 1 column"),
        (b'{"unit":\n "cel', "line 2 column 2"),
        (b"{'unit': 'celsius'}", "line 1 column 2"),
        (b'```json\n{"unit": "celsius"}\n```', "line 1 column 1"),
        (b'{"unit": "celsius"} // please', "line 1 column"),
        (b'{"unit": "\xff"}', ""),
        (b"[" * 5_000, ""),
        ('{"unit": "celsius"}'.encode("utf-16"), ""),
        (b'{"code": "\\ud800"}', ""),
    ],
)
async def test_what_is_not_json_says_where(call: Any, body: bytes, where: str) -> None:
    problem = await _refused(call, body)
    (fault,) = problem["errors"]
    assert (fault["argument"], fault["pointer"]) == ("body", "")
    assert fault["expected"].startswith("one complete JSON value")
    assert where in problem["detail"]


@pytest.mark.parametrize(
    ("path", "query", "faults"),
    [
        ("/orders/x", "", [("order_id", "x", None)]),
        ("/orders/0", "", [("order_id", "0", 1)]),
        ("/orders/1", "limit=1000&unit=F", [("unit", "F", None), ("limit", "1000", 10)]),
        ("/orders/1", "limt=3", [("limt", "3", "limit")]),
        ("/plain", "flag=perhaps", [("flag", "perhaps", None)]),
        ("/plain", "perpage=3", [("perpage", "3", "perPage")]),
        ("/plain", "perPage=x", [("perPage", "x", None)]),
    ],
)
async def test_parameters_are_explained_too(
    call: Any, path: str, query: str, faults: list[Any]
) -> None:
    reply = await call("GET", path, query=query)
    assert reply.status == 422
    found = [
        (fault["argument"], fault["got"], fault.get("nearest")) for fault in reply.json["errors"]
    ]
    assert found == faults


async def test_a_header_is_explained_too(call: Any) -> None:
    reply = await call("GET", "/orders/1", headers=[("x-trace", "abc")])
    assert reply.json["errors"][0]["argument"] == "x-trace"
    assert reply.json["errors"][0]["expected"] == "a whole number or null"


async def test_a_plain_body_is_the_argument_body(call: Any) -> None:
    reply = await call("POST", "/raw", body=b'"5"')
    assert reply.status in {200, 422}
    refused = await call("POST", "/raw", body=b'"five"')
    assert refused.json["errors"][0]["argument"] == "body"


@pytest.mark.parametrize(
    ("how", "status", "code", "detail"),
    [
        ("known", 404, "not_found", "There is no such thing. Call list_things."),
        ("source", 503, "source_unavailable", "The source is away."),
        ("teapot", 418, "i'm_a_teapot", '{"reason":"short and stout"}'),
        ("http", 404, "not_found", "nowhere"),
    ],
)
async def test_errors_keep_their_status_and_text(
    call: Any, how: str, status: int, code: str, detail: str
) -> None:
    reply = await call("GET", f"/fail/{how}")
    assert (reply.status, reply.json["code"], reply.json["detail"]) == (status, code, detail)
    assert reply.json["type"] == f"urn:gpt-plugin:problem:{code}"
    assert "errors" not in reply.json


async def test_headers_of_an_error_are_sent(call: Any) -> None:
    assert (await call("GET", "/fail/source")).headers["retry-after"] == "5"
    assert (await call("GET", "/fail/teapot")).headers["x-pot"] == "tea"


@pytest.mark.parametrize("how", ["crash", "group", "broken-reply"])
async def test_what_is_unexpected_stays_in_the_log(
    call: Any, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        reply = await call("GET", f"/fail/{how}")
    assert reply.status == 500
    assert reply.headers["x-request-id"] in reply.json["detail"]
    for secret in ("Traceback", "ZeroDivision", "secret detail", "not a number"):
        assert secret not in reply.body.decode()
    (record,) = caplog.records
    assert record.exc_info is not None
    assert reply.headers["x-request-id"] in record.getMessage()


async def test_an_error_that_is_no_unicode_can_be_sent(call: Any) -> None:
    reply = await call("GET", "/fail/surrogate")
    assert reply.status == 404
    assert reply.json["detail"] == "half \ud800 of a pair"
