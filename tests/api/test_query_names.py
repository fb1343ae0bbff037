from collections.abc import Callable
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Depends, Query
from pydantic import AliasChoices, BaseModel, ConfigDict, Field

from plugin.operations import operation


class Loose(BaseModel):
    """Takes anything."""

    model_config = ConfigDict(extra="allow")


class Chosen(BaseModel):
    """Knows several names."""

    model_config = ConfigDict(extra="forbid")
    unit: str = Field(default="c", validation_alias=AliasChoices("unit", "u"))


async def _paging(offset: int = 0) -> int:
    return offset


router = APIRouter()


@router.get("/plain", operation_id="plain")
@operation(scope="notes:read")
async def plain(limit: int = 1, per_page: Annotated[int, Query(alias="perPage")] = 2) -> int:
    return limit + per_page


@router.get("/paged", operation_id="paged")
@operation(scope="notes:read")
async def paged(offset: Annotated[int, Depends(_paging)], limit: int = 1) -> int:
    return limit + offset


@router.get("/loose", operation_id="loose")
@operation(scope="notes:read")
async def loose(query: Annotated[Loose, Query()]) -> dict[str, Any]:
    return query.model_dump()


@router.get("/chosen", operation_id="chosen")
@operation(scope="notes:read")
async def chosen(query: Annotated[Chosen, Query()]) -> str:
    return query.unit


@router.get("/none", operation_id="none")
@operation(scope="notes:read")
async def none() -> str:
    return "none"


@pytest.fixture
def call(gate: Callable[..., Any]) -> Any:
    return gate(router)


@pytest.mark.parametrize(
    ("path", "query", "status"),
    [
        ("/plain", "limit=1&perPage=2", 200),
        ("/plain", "per_page=2", 422),
        ("/plain", "limit=1&%6cimit=2", 200),
        ("/plain", "limit=1&", 200),
        ("/plain", "x", 422),
        ("/plain", "x=", 422),
        ("/paged", "offset=1&limit=2", 200),
        ("/paged", "offset=1&limits=2", 422),
        ("/loose", "whatever=1", 200),
        ("/chosen", "u=f", 200),
        ("/chosen", "unit=f", 200),
        ("/chosen", "uni=f", 422),
        ("/none", "", 200),
        ("/none", "a=1", 422),
        ("/none", "%ff=%ff&\xff", 422),
    ],
)
async def test_only_declared_names_pass(call: Any, path: str, query: str, status: int) -> None:
    assert (await call("GET", path, query=query)).status == status


async def test_each_unknown_name_is_told_once(call: Any) -> None:
    reply = await call("GET", "/plain", query="limt=1&limt=2&perpage=3")
    assert [fault["argument"] for fault in reply.json["errors"]] == ["limt", "perpage"]
    assert [fault["nearest"] for fault in reply.json["errors"]] == ["limit", "perPage"]
    nothing = await call("GET", "/none", query="a=1")
    assert nothing.json["detail"] == "Unknown argument `a`. Allowed: none."
    model = await call("GET", "/chosen", query="uni=f")
    assert len(model.json["errors"]) == 1
