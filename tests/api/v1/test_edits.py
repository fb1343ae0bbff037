"""`/v1/edits` before a scripted engine."""

from typing import Any

import pytest

from plugin.engines.scripted import Scripted, breaking_off
from tests.api.v1.scripted_doors import Doors
from tests.openai_schema import assert_reply

PATH = "/v1/edits"
ASKING = {"model": "gpt-4", "input": "Helo", "instruction": "Fix the spelling"}


async def test_edits_are_made() -> None:
    doors = Doors(Scripted(["Hello", "Hallo"]))
    reply = await doors("POST", PATH, {**ASKING, "n": 2, "temperature": 0, "top_p": None})
    said = assert_reply(PATH, "POST", reply.status, reply.body)
    assert said["choices"] == [{"text": "Hello", "index": 0}, {"text": "Hallo", "index": 1}]
    assert said["usage"]["completion_tokens"] == 2
    assert doors.records[0]["tokens_out"] == 2
    assert reply.headers["openai-model"] == "scripted (fixed answers)"


async def test_the_model_may_stand_in_the_path() -> None:
    path = "/v1/engines/gpt-4/edits"
    reply = await Doors()("POST", path, {"instruction": "Say hello"})
    assert assert_reply(path, "POST", reply.status, reply.body)["object"] == "edit"


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({**ASKING, "instruction": None}, "instruction"),
        ({**ASKING, "instruction": ""}, "instruction"),
        ({"model": "gpt-4", "input": "x"}, "instruction"),
        ({**ASKING, "n": 0}, "n"),
        ({**ASKING, "temperature": 9}, "temperature"),
        ({**ASKING, "stream": True}, "stream"),
    ],
)
async def test_what_is_refused(body: dict[str, Any], param: str) -> None:
    reply = await Doors()("POST", PATH, body)
    error = assert_reply(PATH, "POST", reply.status, reply.body)["error"]
    assert (reply.status, error["param"]) == (400, param)


async def test_an_engine_that_is_not_there_is_no_409() -> None:
    reply = await Doors(Scripted(refuses=breaking_off()))("POST", PATH, ASKING)
    assert_reply(PATH, "POST", reply.status, reply.body)
    assert reply.status == 503
