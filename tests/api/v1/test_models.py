"""`/v1/models` and `/v1/engines`."""

import pytest

from tests.api.v1.scripted_doors import Doors
from tests.openai_schema import assert_reply


async def test_every_name_is_listed_own_names_first() -> None:
    reply = await Doors()("GET", "/v1/models")
    listed = assert_reply("/v1/models", "GET", reply.status, reply.body)["data"]
    assert [card["id"] for card in listed] == [
        *("scripted", "hub/vectors:8"),
        *("gpt-4", "text-embedding-ada-002"),
    ]
    assert listed[0] == {
        "id": "scripted",
        "object": "model",
        "created": 1_700_000_000,
        "owned_by": "tests",
        "kind": "text",
        "alias_of": None,
        "context_window": 4096,
        "strengths": "says what it was told to",
        "languages": ["en"],
        "shutdown_date": "2030-01-01",
    }


@pytest.mark.parametrize(
    ("name", "alias_of"),
    [("gpt-4", "scripted"), ("scripted", None), ("hub/vectors:8", None)],
)
async def test_a_name_says_what_answers(name: str, alias_of: str | None) -> None:
    reply = await Doors()("GET", f"/v1/models/{name}")
    card = assert_reply(f"/v1/models/{name}", "GET", reply.status, reply.body)
    assert (card["id"], card["alias_of"]) == (name, alias_of)


async def test_the_old_list() -> None:
    doors = Doors()
    reply = await doors("GET", "/v1/engines")
    listed = assert_reply("/v1/engines", "GET", reply.status, reply.body)["data"]
    assert len(listed) == 4
    one = await doors("GET", "/v1/engines/hub/vectors:8")
    assert assert_reply("/v1/engines/x", "GET", one.status, one.body) in listed


@pytest.mark.parametrize("end", ["chat/completions", "completions", "edits", "embeddings"])
async def test_what_an_old_client_posts_to_is_no_name(end: str) -> None:
    """As the description has it: GET is not offered there."""
    reply = await Doors()("GET", f"/v1/engines/gpt-4/{end}")
    assert (reply.status, reply.headers["allow"]) == (405, "OPTIONS, POST")
    assert (await Doors()("GET", f"/v1/models/hub/{end}")).status == 404


@pytest.mark.parametrize("path", ["/v1/models/gpt-9", "/v1/engines/a/b", "/v1/models/a/"])
async def test_a_name_that_nobody_answers_to(path: str) -> None:
    reply = await Doors()("GET", path)
    error = assert_reply(path, "GET", reply.status, reply.body)["error"]
    assert reply.status == 404
    assert (error["code"], error["param"]) == ("model_not_found", "model")


@pytest.mark.parametrize("path", ["/v1/models", "/v1/engines"])
async def test_a_slash_at_the_end_leads_to_the_list(path: str) -> None:
    reply = await Doors()("GET", f"{path}/")
    assert (reply.status, reply.headers["location"]) == (307, path)
