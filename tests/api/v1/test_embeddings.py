"""`/v1/embeddings` before a scripted engine."""

from typing import Any

import pytest

from plugin.api.v1.embeddings import EmbeddingRequest
from plugin.engines.scripted import Scripted
from tests.api.v1.scripted_doors import Doors
from tests.openai_schema import assert_reply

PATH = "/v1/embeddings"


def asking(**more: Any) -> dict[str, Any]:
    return {"model": "text-embedding-ada-002", "input": "A text", **more}


@pytest.mark.parametrize("given", ["a", ["a", "b"], [1, 2.0], [[1], [2]]])
@pytest.mark.parametrize("encoding", ["float", "base64", None])
async def test_every_form_of_input(given: Any, encoding: str | None) -> None:
    engine = Scripted()
    reply = await Doors(engine)("POST", PATH, asking(input=given, encoding_format=encoding))
    said = assert_reply(PATH, "POST", reply.status, reply.body)
    assert len(said["data"]) == (2 if given in (["a", "b"], [[1], [2]]) else 1)
    assert isinstance(said["data"][0]["embedding"], str if encoding == "base64" else list)
    assert said["model"] == "text-embedding-ada-002"
    assert engine.asked[0].model == "hub/vectors:8"


async def test_null_is_as_good_as_nothing() -> None:
    optional = [
        name for name, field in EmbeddingRequest.model_fields.items() if not field.is_required()
    ]
    assert set(optional) == {"user", "encoding_format", "dimensions"}
    for name in optional:
        engine = Scripted()
        assert (await Doors(engine)("POST", PATH, asking(**{name: None}))).status == 200
        assert name not in engine.asked[0].body


@pytest.mark.parametrize(
    ("more", "param", "words"),
    [
        ({"input": ""}, "input", "at least 1"),
        ({"input": []}, "input", "1 to 2048"),
        ({"input": ["a", ""]}, "input[1]", "at least 1"),
        ({"input": ["a"] * 2049}, "input", "1 to 2048"),
        ({"input": None}, "input", "text"),
        ({"input": {"text": "a"}}, "input", "text"),
        ({"encoding_format": "hex"}, "encoding_format", '"base64"'),
        ({"dimensions": 0}, "dimensions", "from 1"),
        ({"dimensions": 1.5}, "dimensions", "whole number"),
    ],
)
async def test_what_is_refused(more: dict[str, Any], param: str, words: str) -> None:
    reply = await Doors()("POST", PATH, asking(**more))
    error = assert_reply(PATH, "POST", reply.status, reply.body)["error"]
    assert (reply.status, error["param"]) == (400, param), error
    assert words in error["message"], error


async def test_the_model_may_stand_in_the_path() -> None:
    path = "/v1/engines/text-embedding-ada-002/embeddings"
    reply = await Doors()("POST", path, {"input": "x"})
    assert assert_reply(path, "POST", reply.status, reply.body)["object"] == "list"
