from collections.abc import AsyncIterator

import orjson
import pytest

from plugin.engines.catalog import Answering, Model
from plugin.engines.engine import Ask, Events, Whole
from plugin.engines.scripted import Scripted
from plugin.errors import ContextLengthExceeded, EngineUnavailable
from plugin.gpt.edits import edit
from plugin.messages import AnsweredBy, Usage
from tests.openai_schema import assert_reply

GIVEN = {"model": "gpt-4", "instruction": "Fix it", "input": "Helo"}


def answering(engine: object) -> Answering:
    return Answering("gpt-4", Model("scripted", "text", "tests"), engine)  # type: ignore[arg-type]


async def test_any_engine_is_asked_for_a_chat() -> None:
    engine = Scripted(["Hello"])
    given = {**GIVEN, "n": 2, "temperature": 0, "seed": 1, "user": "ann", "stream": False}
    answer = await edit(answering(engine), given, ("seed",))
    said = assert_reply("/v1/edits", "POST", 200, answer.body)
    assert [choice["text"] for choice in said["choices"]] == ["Hello", "Hello"]
    asked = engine.asked[0]
    assert (asked.path, asked.requested, asked.model) == ("chat/completions", "gpt-4", "scripted")
    assert asked.unknown == ("seed",)
    assert set(asked.body) == {"model", "messages", "n", "temperature", "seed"}
    system, *examples, user = asked.body["messages"]
    assert system["role"] == "system"
    assert [message["role"] for message in examples] == ["user", "assistant"] * 2
    assert user == {"role": "user", "content": "Instruction: Fix it\nText: Helo"}


async def test_without_a_text_the_instruction_says_what_to_write() -> None:
    engine = Scripted()
    await edit(answering(engine), {**GIVEN, "input": ""})
    assert engine.asked[0].body["messages"] == [{"role": "user", "content": "Fix it"}]


@pytest.mark.parametrize("param", ["input", "instruction"])
async def test_what_is_too_long_is_named_as_the_caller_sent_it(param: str) -> None:
    told = ContextLengthExceeded("Please reduce the length of the messages.", param="messages")
    given = GIVEN if param == "input" else {**GIVEN, "input": ""}
    with pytest.raises(ContextLengthExceeded) as refused:
        await edit(answering(Scripted(refuses=told)), given)
    assert refused.value.param == param
    assert refused.value.detail == f"Please reduce the length of the {param}."


class Odd:
    """Answers with something else."""

    def __init__(self, answer: Whole | Events) -> None:
        self._answer = answer

    async def answer(self, _ask: Ask) -> Whole | Events:
        return self._answer


async def _pieces() -> AsyncIterator[bytes]:
    yield b"data: [DONE]\n\n"


@pytest.mark.parametrize(
    "body", [b"<html>", b"{}", b"[]", b'{"choices": [{}]}', b'{"choices": 3}', b"null"]
)
async def test_an_answer_that_is_no_chat_is_the_engines_fault(body: bytes) -> None:
    with pytest.raises(EngineUnavailable):
        await edit(answering(Odd(Whole(body, Usage(), AnsweredBy("odd")))), GIVEN)


async def test_an_answer_that_is_a_stream_is_the_engines_fault() -> None:
    with pytest.raises(EngineUnavailable):
        await edit(answering(Odd(Events(_pieces(), AnsweredBy("odd")))), GIVEN)


async def test_no_words_are_an_empty_text() -> None:
    chat = {
        "created": 1,
        "choices": [{"message": {"content": None}}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 0, "total_tokens": 1},
    }
    answer = await edit(
        answering(Odd(Whole(orjson.dumps(chat), Usage(), AnsweredBy("odd")))), GIVEN
    )
    assert orjson.loads(answer.body)["choices"] == [{"text": "", "index": 0}]
