"""`/v1/completions` before a scripted engine."""

from typing import Any

import pytest

from plugin.api.v1.completions import CompletionRequest
from plugin.engines.scripted import Scripted
from tests.api.v1.scripted_doors import Doors
from tests.openai_schema import assert_reply, assert_stream

PATH = "/v1/completions"


def asking(**more: Any) -> dict[str, Any]:
    return {"model": "gpt-4", "prompt": "Once upon", **more}


async def test_whole_and_streamed() -> None:
    doors = Doors(Scripted(["a time", "two times"]))
    reply = await doors("POST", PATH, asking(n=2))
    said = assert_reply(PATH, "POST", reply.status, reply.body)
    assert [choice["text"] for choice in said["choices"]] == ["a time", "two times"]
    asked = asking(stream=True, stream_options={"include_usage": True})
    chunks = assert_stream(PATH, (await doors("POST", PATH, asked)).body, usage=True)
    told = [choice["text"] for chunk in chunks for choice in chunk["choices"]]
    assert "".join(told) == "two times"


async def test_what_the_api_promises_for_what_is_left_out_is_put_in() -> None:
    engine = Scripted()
    doors = Doors(engine)
    await doors("POST", PATH, {"model": "gpt-4"})
    await doors("POST", PATH, asking(prompt=None, max_tokens=None))
    await doors("POST", PATH, asking(max_tokens=0))
    assert [(ask.body["prompt"], ask.body["max_tokens"]) for ask in engine.asked] == [
        *([("<|endoftext|>", 16)] * 2),
        ("Once upon", 0),
    ]


OPTIONAL = [
    name for name, field in CompletionRequest.model_fields.items() if not field.is_required()
]


async def test_null_is_as_good_as_nothing() -> None:
    engine = Scripted()
    doors = Doors(engine)
    for nothing in (dict.fromkeys(OPTIONAL), *({name: None} for name in OPTIONAL)):
        assert (await doors("POST", PATH, {"model": "gpt-4", **nothing})).status == 200, nothing
        assert set(engine.asked[-1].body) == {"model", "prompt", "max_tokens"}
    assert len(OPTIONAL) > 15


@pytest.mark.parametrize(
    ("prompt", "sent"),
    [
        ("", ""),
        (["a", ""], ["a", ""]),
        ([1, 2.0, 3], [1, 2, 3]),
        ([[1], [2, 3]], [[1], [2, 3]]),
    ],
)
async def test_every_form_of_prompt(prompt: Any, sent: Any) -> None:
    engine = Scripted()
    assert (await Doors(engine)("POST", PATH, asking(prompt=prompt))).status == 200
    assert engine.asked[0].body["prompt"] == sent
    assert repr(engine.asked[0].body["prompt"]) == repr(sent)


@pytest.mark.parametrize(
    ("more", "param", "words"),
    [
        ({"prompt": 7}, "prompt", "text"),
        ({"prompt": []}, "prompt", "1 to 2048"),
        ({"prompt": [1, "a"]}, "prompt[1]", "whole number"),
        ({"prompt": ["a", 1]}, "prompt[1]", "a text or"),
        ({"prompt": [-1]}, "prompt[0]", "whole number from 0"),
        ({"prompt": [[1], []]}, "prompt[1]", "at least 1 item"),
        ({"prompt": [[1], [1.5]]}, "prompt[1][0]", "whole number"),
        ({"prompt": [True]}, "prompt[0]", "got true"),
        ({"max_tokens": -1}, "max_tokens", "from 0"),
        ({"logprobs": 6}, "logprobs", "from 0 to 5"),
        ({"logprobs": True}, "logprobs", "from 0 to 5"),
        ({"best_of": 0}, "best_of", "from 1"),
        ({"best_of": 2, "n": 3}, "best_of", "at least `n`"),
        ({"best_of": 3, "stream": True}, "best_of", "streamed"),
        ({"stream_options": {}}, "stream_options", "`stream`"),
        ({"echo": "yes"}, "echo", "true or false"),
        ({"suffix": 1}, "suffix", "text"),
        ({"temperature": 3}, "temperature", "from 0 to 2"),
    ],
)
async def test_what_is_refused(more: dict[str, Any], param: str, words: str) -> None:
    engine = Scripted()
    reply = await Doors(engine)("POST", PATH, asking(**more))
    error = assert_reply(PATH, "POST", reply.status, reply.body)["error"]
    assert (reply.status, error["param"]) == (400, param), error
    assert words in error["message"], error
    assert not engine.asked


async def test_the_model_may_stand_in_the_path() -> None:
    engine = Scripted()
    path = "/v1/engines/hub/vectors:8/completions"
    reply = await Doors(engine)("POST", path, {"prompt": "x", "model": None})
    assert assert_reply(path, "POST", reply.status, reply.body)["model"] == "hub/vectors:8"
    assert engine.asked[0].body["max_tokens"] == 16
