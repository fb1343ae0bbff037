"""Structured output of the real engine: valid when it ends by itself, cut only by the caller."""

import json
from typing import Any

import pytest

from plugin.contract.schema.validation import validator
from plugin.engines.engine import Events
from plugin.engines.llama.engine import Llama
from plugin.errors import EngineUnavailable, InvalidRequest
from tests.engines.llama.asking import CHAT, asked, chunks, said, whole
from tests.engines.llama.conftest import StandsIn
from tests.engines.llama.schemas import REFUSED
from tests.engines.llama.stand_in import Answer, chat_events

PERSON = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "age": {"type": "integer", "minimum": 0, "maximum": 150},
        "tags": {"type": "array", "items": {"type": "string"}, "maxItems": 3},
    },
    "required": ["name", "age", "tags"],
    "additionalProperties": False,
}
CHECKED = {
    "type": "object",
    "properties": {"code": {"type": "string", "pattern": "^(?!a)[a-z]{2}$"}},
    "required": ["code"],
}
TEXT = "Anna is 31 years old and likes chess."
MESSAGES = [{"role": "user", "content": f"Give the data as JSON: {TEXT}"}]


def of(schema: Any, *, strict: bool = True) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "x", "schema": schema, "strict": strict}}


async def answered(llama: Llama, **body: Any) -> tuple[str, str]:
    reply = await whole(llama, CHAT, **{"messages": MESSAGES, "temperature": 0, **body})
    choice = reply["choices"][0]
    return choice["message"]["content"], choice["finish_reason"]


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("schema", [PERSON, CHECKED, {"type": "array", "items": PERSON}])
async def test_a_schema(llama: Llama, schema: Any, strict: bool) -> None:
    content, finish = await answered(llama, response_format=of(schema, strict=strict))
    assert finish == "stop"
    assert validator(schema).is_valid(json.loads(content))


async def test_what_the_text_says_is_found(llama: Llama) -> None:
    content, _ = await answered(llama, response_format=of(PERSON))
    found = json.loads(content)
    assert (found["name"], found["age"]) == ("Anna", 31)


@pytest.mark.parametrize("seed", range(4))
async def test_any_object(llama: Llama, seed: int) -> None:
    content, finish = await answered(
        llama, response_format={"type": "json_object"}, temperature=1.5, seed=seed, max_tokens=1000
    )
    assert content.startswith("{")
    if finish == "stop":
        assert isinstance(json.loads(content), dict)


async def test_the_caller_s_own_limit(llama: Llama) -> None:
    _, finish = await answered(llama, response_format=of(PERSON), max_tokens=3)
    assert finish == "length"
    _, finish = await answered(llama, response_format=of(CHECKED), max_tokens=2)
    assert finish == "length"


@pytest.mark.parametrize("schema", [PERSON, CHECKED])
async def test_a_stream(llama: Llama, schema: Any) -> None:
    told = await chunks(llama, CHAT, messages=MESSAGES, temperature=0, response_format=of(schema))
    assert validator(schema).is_valid(json.loads(said(told)))
    assert told[-1]["choices"][0]["finish_reason"] == "stop"


async def test_several_choices(llama: Llama) -> None:
    body = {"messages": MESSAGES, "response_format": of(PERSON), "n": 2, "temperature": 1}
    reply = await whole(llama, CHAT, **body)
    for choice in reply["choices"]:
        assert validator(PERSON).is_valid(json.loads(choice["message"]["content"]))


@pytest.mark.parametrize("name", REFUSED)
async def test_a_schema_that_cannot_be_followed(llama: Llama, name: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        await answered(llama, response_format=of(REFUSED[name]))
    assert refused.value.param == "response_format.json_schema.schema"
    assert "PLUGIN_UPSTREAMS" in refused.value.detail


async def test_what_the_engine_writes_is_not_trusted(stand_in: StandsIn) -> None:
    _, link = await stand_in(lambda *_: Answer(pieces=chat_events("nonsense", finish="stop")))
    content, finish = await answered(Llama(link), response_format=of(CHECKED))
    assert finish == "stop"
    assert validator(CHECKED).is_valid(json.loads(content))


async def test_what_is_still_being_checked_counts(stand_in: StandsIn) -> None:
    events = chat_events("non", "sense", "goes on")[:4]
    _, link = await stand_in(lambda *_: Answer(pieces=events, cut=True))
    body = {"messages": MESSAGES, "response_format": of(CHECKED), "stream": True}
    answer = await Llama(link).answer(asked(CHAT, body))
    assert isinstance(answer, Events)
    with pytest.raises(EngineUnavailable):
        async for _ in answer.pieces:
            pass
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (31, 2)


async def test_an_object_comes_with_its_logprobs(llama: Llama) -> None:
    body = {"response_format": of(PERSON), "logprobs": True, "max_tokens": 20}
    reply = await whole(llama, CHAT, messages=MESSAGES, **body)
    choice = reply["choices"][0]
    told = "".join(entry["token"] for entry in choice["logprobs"]["content"])
    assert told == choice["message"]["content"]
