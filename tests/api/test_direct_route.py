"""The direct way and FastAPI's own must not be told apart by what they answer."""

import json
from collections.abc import AsyncIterator, Callable
from datetime import date, datetime
from enum import Enum
from typing import Annotated, Any
from uuid import UUID

import pytest
from fastapi import (
    APIRouter,
    BackgroundTasks,
    Body,
    Cookie,
    Depends,
    Header,
    HTTPException,
    Query,
    Request,
    Response,
)
from fastapi.responses import PlainTextResponse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field

from plugin.api import gateway
from plugin.api.direct_route import DirectRoute, _Strict, machinery_app
from plugin.operations import Arguments, CurrentCaller, Now, QueryArguments, Reply, operation

router = APIRouter()
Scoped = operation(scope="notes:read")


class Unit(Enum):
    """A unit."""

    CELSIUS = "celsius"
    KELVIN = "kelvin"


class Inner(Arguments):
    """Something inside."""

    name: Annotated[str, Field(max_length=5)]
    count: Annotated[int, Field(ge=0)] = 0


class Strict(Arguments):
    """Judged as JSON is."""

    text: str
    unit: Unit = Unit.CELSIUS
    flag: bool = False
    number: float | None = None
    day: date | None = None
    moment: datetime | None = None
    id: UUID | None = None
    inner: list[Inner] = Field(default_factory=list)
    either: int | str | None = None
    free: Any = None


class Lax(BaseModel):
    """As pydantic is by default."""

    model_config = ConfigDict(validate_by_name=True)

    count: int = Field(alias="howMany", default=1)
    ratio: float = 0.5
    flag: bool = False
    text: str = ""
    many: list[int] | None = None


class Ask(QueryArguments):
    """A query."""

    limit: Annotated[int, Field(ge=1, le=9)] = 3
    unit: Unit = Unit.CELSIUS
    many: list[int] = Field(default_factory=list)


class Seen(Reply):
    """What arrived."""

    what: Any
    number: float = Field(default=1.5, serialization_alias="n")
    none: str | None = None


async def _base(request: Request) -> str:
    return request.method


async def _derived(base: Annotated[str, Depends(_base)], request: Request) -> str:
    return f"{base} {request.url.path}"


def _blocking() -> str:
    return "from a thread"


async def _refusing(request: Request) -> None:
    if "refuse" in request.headers:
        raise HTTPException(409, "refused")


async def _reads_the_body(request: Request) -> bytes:
    return await request.body()


@router.post("/strict", operation_id="strict", status_code=201)
@Scoped
async def strict(body: Strict, caller: CurrentCaller) -> Seen:
    return Seen(what=[caller.id, body.model_dump(mode="json")])


@router.put("/lax/{place}/{number}", operation_id="lax")
@Scoped
async def lax(
    place: str,
    number: int,
    body: Lax,
    query: Annotated[Ask, Query()],
    x_trace: Annotated[float | None, Header()] = None,
    session: Annotated[int | None, Cookie()] = None,
) -> Seen:
    return Seen(
        what=[place, number, body.model_dump(), query.model_dump(mode="json"), x_trace, session]
    )


@router.post("/optional", operation_id="optional")
@Scoped
async def optional(body: Strict | None = None) -> Seen:
    return Seen(what=None if body is None else body.text)


@router.post("/list", operation_id="listed", response_model_exclude_none=True)
@Scoped
async def listed(body: Annotated[list[int], Body()]) -> Seen:
    return Seen(what=body)


@router.get("/resources", operation_id="resources", dependencies=[Depends(_refusing)])
@Scoped
async def resources(
    derived: Annotated[str, Depends(_derived)],
    base: Annotated[str, Depends(_base)],
    blocking: Annotated[str, Depends(_blocking)],
    fresh: Annotated[str, Depends(_base, use_cache=False)],
) -> list[str]:
    return [derived, base, blocking, fresh]


@router.post("/again", operation_id="again")
@Scoped
async def again(
    body: Strict, raw: Annotated[bytes, Depends(_reads_the_body)], request: Request
) -> list[Any]:
    return [body.text, len(raw), (await request.json())["text"]]


@router.get("/threaded", operation_id="threaded")
@Scoped
def threaded(limit: int = 1) -> dict[str, int]:
    return {"limit": limit}


@router.get("/untyped", operation_id="untyped", status_code=202)
@Scoped
async def untyped(limit: int = 1):  # type: ignore[no-untyped-def]  # noqa: ANN201 - that is the case
    return {"limit": limit, "unit": Unit.KELVIN, "day": date(2026, 11, 23)}


@router.get("/response", operation_id="response")
@Scoped
async def response(status: int = 200) -> Response:
    return PlainTextResponse("as it is", status, {"x-own": "1"})


@router.get("/broken", operation_id="broken")
@Scoped
async def broken() -> Seen:
    return {"number": "none"}  # type: ignore[return-value]  # that is the case


DIRECT = {
    "strict",
    "lax",
    "optional",
    "listed",
    "resources",
    "again",
    "threaded",
    "untyped",
    "response",
    "broken",
}

left = APIRouter()
"""Operations that need FastAPI's machinery."""


async def _yielding() -> AsyncIterator[str]:
    yield "lent"


@left.get("/yielding", operation_id="yielding")
@Scoped
async def yielding(lent: Annotated[str, Depends(_yielding)]) -> str:
    return lent


@left.get("/headers", operation_id="headers")
@Scoped
async def headers(response: Response) -> str:
    response.headers["x-own"] = "1"
    return "headers"


@left.post("/embedded", operation_id="embedded")
@Scoped
async def embedded(left: Annotated[int, Body()], right: Annotated[int, Body()]) -> int:
    return left + right


@left.get("/background", operation_id="background")
@Scoped
async def background(tasks: BackgroundTasks) -> str:
    tasks.add_task(list)
    return "background"


@left.get("/nothing", operation_id="nothing", status_code=204)
@Scoped
async def nothing() -> None: ...


@left.get("/text", operation_id="text", response_class=PlainTextResponse)
@Scoped
async def text() -> str:
    return "text"


@left.get("/lines", operation_id="lines")
@Scoped
async def lines() -> AsyncIterator[int]:
    yield 1


@left.get("/searched", operation_id="searched")
@Scoped
async def searched(limit: Annotated[int, Depends(lambda limit: int(limit))]) -> int:  # noqa: PLW0108 - a dependency with a parameter
    return limit


def _is_direct(gate: Any) -> dict[str, bool]:
    return {entry.route.operation_id: isinstance(entry.app, DirectRoute) for entry in gate.table}


def test_plain_operations_go_the_direct_way(gate: Callable[..., Any]) -> None:
    assert _is_direct(gate(router)) == dict.fromkeys(DIRECT, True)
    assert set(_is_direct(gate(left)).values()) == {False}


@pytest.fixture
def ways(gate: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Any]:
    """The same routes twice: the direct way, and FastAPI's."""
    direct = gate(router)
    monkeypatch.setattr(
        gateway, "operation_app", lambda route: _Strict(machinery_app(route), route)
    )
    return direct, gate(router)


async def _compare(ways: tuple[Any, Any], method: str, path: str, **request: Any) -> Any:
    request["headers"] = [*request.get("headers", ()), ("x-request-id", "same")]
    direct, machinery = [await way(method, path, **request) for way in ways]
    assert direct.status == machinery.status, (direct, machinery)
    if request.get("query") and "no such argument" in machinery.body.decode():
        # Before FastAPI's way names are refused alone, on the direct way with all other faults.
        assert direct.json["errors"][: len(machinery.json["errors"])] == machinery.json["errors"]
        return direct
    assert direct.headers == machinery.headers
    assert direct.body == machinery.body
    return direct


_SCALAR = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 200),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([1.0, 2.5, "1", "true", "celsius", "2026-11-23", "kelvin", "", "abcdefgh"]),
    st.sampled_from(["2026-11-23T10:00:00Z", "6ba7b810-9dad-11d1-80b4-00c04fd430c8"]),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
)
_VALUE = st.recursive(
    _SCALAR,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["name", "count", "x", "text"]), inner, max_size=3)
    ),
    max_leaves=6,
)
_STRICT_KEYS = [*Strict.model_fields, "Text", "zzz"]
_OBJECT = st.dictionaries(st.sampled_from(_STRICT_KEYS), _VALUE, max_size=6)
_LAX_KEYS = ["howMany", "count", "ratio", "flag", "text", "many", "extra"]
_LAX = st.dictionaries(st.sampled_from(_LAX_KEYS), _VALUE, max_size=5)
_QUERY = st.lists(
    st.tuples(
        st.sampled_from(["limit", "unit", "many", "other", "%6cimit"]),
        st.sampled_from(["1", "3.0", "x", "", "celsius", "99", "%20", "%ff", "+1"]),
    ).map("=".join),
    max_size=4,
).map("&".join)
_many = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@_many
@given(body=st.one_of(_OBJECT, _OBJECT.map(lambda one: {"text": "t", **one}), _VALUE))
async def test_bodies(ways: tuple[Any, Any], body: Any) -> None:
    for path in ("/strict", "/optional", "/list", "/again"):
        await _compare(ways, "POST", path, body=json.dumps(body).encode())


@_many
@given(
    body=_LAX,
    query=_QUERY,
    number=st.sampled_from(["1", "x", "1.0", "-3", "1_0", "٣"]),
    trace=st.sampled_from([None, "1", "x", "inf", ""]),
    cookie=st.sampled_from([None, "session=1", "session=x", "other=1;session=2", ";;"]),
)
async def test_parameters(
    ways: tuple[Any, Any], body: Any, query: str, number: str, trace: Any, cookie: Any
) -> None:
    sent = [("x-trace", trace)] * (trace is not None) + [("cookie", cookie)] * (cookie is not None)
    path = f"/lax/here/{number}"
    dumped = json.dumps(body).encode()
    await _compare(ways, "PUT", path, body=dumped, query=query, headers=sent)


@pytest.mark.parametrize(
    ("method", "path", "request_", "status"),
    [
        ("POST", "/strict", {}, 422),
        ("POST", "/strict", {"body": b"null"}, 422),
        ("POST", "/strict", {"body": b'{"text":"a"} x'}, 422),
        ("POST", "/strict", {"body": b'{"text":"a","text":"b"}'}, 201),
        ("POST", "/strict", {"body": b'{"text":"a","number":NaN}'}, 422),
        ("POST", "/strict", {"body": b'{"text":"a"}', "query": "x=1"}, 422),
        ("POST", "/strict", {"body": b'{"text":"a","number":1e999}'}, 422),
        ("POST", "/optional", {}, 200),
        ("POST", "/optional", {"body": b"null"}, 200),
        ("POST", "/strict", {"pieces": [b'{"te', b'xt":"', b'a"}']}, 201),
        ("POST", "/again", {"pieces": [b'{"te', b'xt":"', b'a"}']}, 200),
        ("GET", "/resources", {}, 200),
        ("GET", "/resources", {"headers": [("refuse", "1")]}, 409),
        ("GET", "/threaded", {"query": "limit=5"}, 200),
        ("GET", "/threaded", {"query": "limit=five"}, 422),
        ("GET", "/untyped", {}, 202),
        ("GET", "/response", {"query": "status=418"}, 418),
        ("GET", "/broken", {}, 500),
    ],
)
async def test_examples(
    ways: tuple[Any, Any], method: str, path: str, request_: dict[str, Any], status: int
) -> None:
    assert (await _compare(ways, method, path, **request_)).status == status


@pytest.mark.parametrize(
    ("media_type", "status"),
    [
        ("application/json", 201),
        ("application/json; charset=utf-8", 201),
        ("Application/JSON", 201),
        ("application/vnd.api+json", 201),
        ("text/plain", 415),
        ("application/x-www-form-urlencoded", 415),
        ("application/jsonp", 415),
        ("", 415),
        ("nonsense", 415),
    ],
)
async def test_only_json_is_read_as_json(
    ways: tuple[Any, Any], media_type: str, status: int
) -> None:
    sent = [("content-type", media_type)]
    reply = await _compare(ways, "POST", "/strict", body=b'{"text":"a"}', headers=sent)
    assert reply.status == status
    assert status == 201 or "content-type: application/json" in reply.json["detail"]


@pytest.mark.parametrize(
    ("method", "path", "request_", "status", "body"),
    [
        ("GET", "/yielding", {}, 200, b'"lent"'),
        ("GET", "/headers", {}, 200, b'"headers"'),
        ("POST", "/embedded", {"body": b'{"left":1,"right":2}'}, 200, b"3"),
        ("GET", "/background", {}, 200, b'"background"'),
        ("GET", "/nothing", {}, 204, b""),
        ("GET", "/text", {}, 200, b"text"),
        ("GET", "/lines", {}, 200, b"1\n"),
        ("GET", "/yielding", {"query": "x=1"}, 422, None),
        (
            "POST",
            "/embedded",
            {"body": b"1", "headers": [("content-type", "text/plain")]},
            415,
            None,
        ),
    ],
)
async def test_what_is_not_plain_still_works(
    gate: Callable[..., Any],
    method: str,
    path: str,
    request_: dict[str, Any],
    status: int,
    body: bytes | None,
) -> None:
    reply = await gate(left)(method, path, **request_)
    assert reply.status == status, reply
    assert body is None or reply.body == body


async def test_an_overridden_dependency_counts(gate: Callable[..., Any]) -> None:
    call = gate(router)

    async def other() -> str:
        return "overridden"

    call.fastapi.dependency_overrides[_base] = other
    assert "overridden" in (await call("GET", "/resources")).json
    call.fastapi.dependency_overrides.clear()
    assert "overridden" not in (await call("GET", "/resources")).json


async def test_a_caller_who_leaves_in_the_middle_is_not_answered(gate: Callable[..., Any]) -> None:
    timed = APIRouter()
    reached: list[str] = []

    @timed.post("/x", operation_id="post_x")
    @operation(scope="notes:read")
    async def post_x(body: Strict, now: Now) -> None:
        reached.append(f"{body}{now}")

    reply = await gate(timed)("POST", "/x", pieces=[])
    assert (reply.status, reached) == (0, [])
