"""An engine that stops is asked again, as long as nothing of its answer was passed on."""

from collections.abc import Sequence
from typing import Any

import pytest

from plugin.engines.llama.engine import Llama
from plugin.errors import EngineUnavailable, InvalidRequest
from tests.engines.llama.asking import CHAT, chunks, said, whole
from tests.engines.llama.conftest import StandsIn
from tests.engines.llama.stand_in import Answer, Answering, Body, chat_events

HELLO = {"messages": [{"role": "user", "content": "hello"}]}
SCHEMA = {"type": "object", "properties": {"a": {"type": "boolean"}}, "required": ["a"]}
TYPED = {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}}
BEFORE = Answer(pieces=chat_events("never said")[:2], cut=True)
MIDWAY = Answer(pieces=chat_events("half ", "of it")[:4], cut=True)
GOOD = Answer(pieces=chat_events("all ", "of it", finish="stop"))


def one_after_the_other(answers: Sequence[Answer]) -> Answering:
    left = list(answers)

    def answer(_path: str, _body: Body) -> Answer:
        return left.pop(0)

    return answer


@pytest.mark.parametrize("broken", [[BEFORE], [BEFORE, BEFORE], [MIDWAY]])
async def test_a_whole_answer_begins_anew(stand_in: StandsIn, broken: list[Answer]) -> None:
    server, link = await stand_in(one_after_the_other([*broken, GOOD]))
    reply = await whole(Llama(link), CHAT, **HELLO)
    assert reply["choices"][0]["message"]["content"] == "all of it"
    assert len(server.asked) == len(broken) + 1


async def test_a_stream_without_content_goes_on(stand_in: StandsIn) -> None:
    _, link = await stand_in(one_after_the_other([BEFORE, GOOD]))
    assert said(await chunks(Llama(link), CHAT, **HELLO)) == "all of it"


async def test_a_stream_with_content_ends_with_an_error(stand_in: StandsIn) -> None:
    server, link = await stand_in(one_after_the_other([MIDWAY, GOOD]))
    with pytest.raises(EngineUnavailable, match="stopped while it answered"):
        await chunks(Llama(link), CHAT, **HELLO)
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"response_format": TYPED}, "response_format.json_schema.schema"),
        (
            {
                "tools": [{"type": "function", "function": {"name": "f", "parameters": SCHEMA}}],
                "tool_choice": {"type": "function", "function": {"name": "f"}},
            },
            "tools[0].function.parameters",
        ),
    ],
)
async def test_a_schema_under_which_it_stops_twice_is_refused(
    stand_in: StandsIn, more: dict[str, Any], param: str
) -> None:
    server, link = await stand_in(lambda *_: BEFORE)
    with pytest.raises(InvalidRequest, match="stopped twice") as refused:
        await whole(Llama(link), CHAT, **HELLO, **more)
    assert refused.value.param == param
    assert len(server.asked) == 2


async def test_an_answer_that_leaves_its_schema_is_an_error(stand_in: StandsIn) -> None:
    _, link = await stand_in(lambda *_: GOOD)
    with pytest.raises(EngineUnavailable, match="did not keep to the schema"):
        await whole(Llama(link), CHAT, **HELLO, response_format=TYPED)
