import base64
import struct
from typing import Any

import orjson
import pytest

from plugin.engines.engine import Ask, Events, Whole
from plugin.engines.scripted import DIMENSIONS, Scripted, breaking_off
from plugin.errors import EngineUnavailable, NotOffered
from tests.openai_schema import assert_reply, assert_stream

MESSAGES = [{"role": "user", "content": "two words"}]


def ask(path: str, **body: Any) -> Ask:
    return Ask(path, body, "gpt-4", "scripted")


async def whole(engine: Scripted, request: Ask) -> Any:
    answer = await engine.answer(request)
    assert isinstance(answer, Whole)
    return assert_reply(request.path, "POST", 200, answer.body)


async def streamed(engine: Scripted, request: Ask) -> tuple[list[Any], Events]:
    answer = await engine.answer(request)
    assert isinstance(answer, Events)
    usage = bool(request.body.get("stream_options"))
    pieces = [piece async for piece in answer.pieces]
    return assert_stream(request.path, pieces, usage=usage), answer


async def test_texts_come_in_turn() -> None:
    engine = Scripted(["one", "two three"])
    first = await whole(engine, ask("chat/completions", messages=MESSAGES))
    assert first["choices"][0]["message"]["content"] == "one"
    assert first["usage"] == {"prompt_tokens": 2, "completion_tokens": 1, "total_tokens": 3}
    second = await whole(engine, ask("completions", prompt="x", n=2))
    assert [choice["text"] for choice in second["choices"]] == ["two three", "one"]
    assert [asked.path for asked in engine.asked] == ["chat/completions", "completions"]


@pytest.mark.parametrize("path", ["chat/completions", "completions"])
async def test_streams_come_word_by_word(path: str) -> None:
    options = {"stream": True, "stream_options": {"include_usage": True}}
    request = ask(path, messages=MESSAGES, n=2, **options)
    chunks, answer = await streamed(Scripted(["a b c"]), request)
    assert answer.usage.completion_tokens == 6
    assert chunks[-1]["usage"]["completion_tokens"] == 6
    told = [choice for chunk in chunks for choice in chunk["choices"] if choice["index"] == 1]
    assert "".join(one.get("text", one.get("delta", {}).get("content", "")) for one in told) == (
        "a b c"
    )


async def test_vectors_are_made_of_the_input() -> None:
    engine = Scripted()
    reply = await whole(engine, ask("embeddings", input=["a", "b", "a"]))
    one, other, again = (entry["embedding"] for entry in reply["data"])
    assert one == again != other
    assert len(one) == DIMENSIONS
    assert sum(number**2 for number in one) == pytest.approx(1)
    packed = await whole(engine, ask("embeddings", input="a", encoding_format="base64"))
    assert list(struct.unpack("<8f", base64.b64decode(packed["data"][0]["embedding"]))) == one
    tokens = await whole(engine, ask("embeddings", input=[1, 2], dimensions=3))
    assert len(tokens["data"][0]["embedding"]) == 3
    assert tokens["usage"]["prompt_tokens"] == 2


async def test_it_fails_where_it_is_told_to() -> None:
    with pytest.raises(EngineUnavailable):
        await Scripted(refuses=breaking_off()).answer(ask("embeddings", input="x"))
    with pytest.raises(NotOffered):
        await Scripted().answer(ask("images/generations"))
    answer = await Scripted(breaks=breaking_off()).answer(
        ask("chat/completions", messages=MESSAGES, stream=True)
    )
    assert isinstance(answer, Events)
    for _ in range(2):
        assert orjson.loads((await anext(answer.pieces))[6:])["object"] == "chat.completion.chunk"
    with pytest.raises(EngineUnavailable):
        await anext(answer.pieces)


async def test_it_notices_that_nobody_listens() -> None:
    engine = Scripted()
    answer = await engine.answer(ask("completions", prompt="x", stream=True))
    assert isinstance(answer, Events)
    await anext(answer.pieces)
    await answer.pieces.aclose()  # type: ignore[attr-defined]
    assert engine.stopped == 1
