"""Embeddings: inputs of every kind, floats and base64, shorter vectors, and what is refused."""

import base64
import math
from array import array
from typing import Any

import pytest

from plugin.engines.llama.engine import Llama
from plugin.engines.llama.link import Link
from plugin.errors import ContextLengthExceeded, InvalidRequest
from tests.engines.llama.asking import EMBEDDINGS, asked, whole
from tests.engines.llama.conftest import StandsIn
from tests.engines.llama.stand_in import Answer, Body, answer_json, too_long

ENGINE = "/v1/embeddings"
UNIT = [1 / math.sqrt(384)] * 384


def embedding(path: str, body: Body) -> Answer:
    """An engine that finds every text equal, and takes a token a word."""
    if path == "/tokenize":
        return answer_json({"tokens": [1] * (len(body["content"].split()) + 2)})
    sizes = [len(one.split()) + 2 if isinstance(one, str) else len(one) for one in body["input"]]
    if max(sizes) > 512:
        return too_long(max(sizes), 512)
    vector = base64.b64encode(array("f", UNIT).tobytes()).decode()
    data = [{"embedding": vector, "index": index} for index, _ in enumerate(sizes)]
    return answer_json({"data": data, "usage": {"prompt_tokens": sum(sizes)}})


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("hello", ["hello"]),
        (["a", "b"], ["a", "b"]),
        ([101, 7592, 102], [[101, 7592, 102]]),
        ([[101, 102], [7592]], [[101, 102], [7592]]),
    ],
)
async def test_every_kind_of_input(stand_in: StandsIn, given: object, sent: list[object]) -> None:
    server, link = await stand_in(embedding)
    reply = await whole(Llama(link), EMBEDDINGS, input=given)
    assert server.bodies(ENGINE)[0]["input"] == sent
    assert [one["index"] for one in reply["data"]] == list(range(len(sent)))
    assert reply["data"][0]["embedding"] == pytest.approx(UNIT)


async def test_many_inputs_are_sent_in_slices_and_come_back_in_order(stand_in: StandsIn) -> None:
    server, link = await stand_in(embedding)
    reply = await whole(Llama(link), EMBEDDINGS, input=[f"text {n}" for n in range(150)])
    assert [len(body["input"]) for body in server.bodies(ENGINE)] == [64, 64, 22]
    assert [one["index"] for one in reply["data"]] == list(range(150))
    assert reply["usage"] == {"prompt_tokens": 600, "total_tokens": 600}


@pytest.mark.parametrize("dimensions", [1, 2, 100, 384])
async def test_shorter_vectors_have_length_one_again(stand_in: StandsIn, dimensions: int) -> None:
    _, link = await stand_in(embedding)
    body: Body = {"input": "a", "dimensions": dimensions}
    floats = (await whole(Llama(link), EMBEDDINGS, **body))["data"][0]["embedding"]
    assert len(floats) == dimensions
    assert math.hypot(*floats) == pytest.approx(1, abs=1e-5)
    coded = await whole(Llama(link), EMBEDDINGS, **body, encoding_format="base64")
    assert read(coded["data"][0]["embedding"]) == pytest.approx(floats)


def read(coded: str) -> list[float]:
    return array("f", base64.b64decode(coded)).tolist()


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"input": ""}, "input"),
        ({"input": []}, "input"),
        ({"input": ["a", ""]}, "input"),
        ({"input": [[]]}, "input"),
        ({"input": [1, "a"]}, "input"),
        ({"input": [True]}, "input"),
        ({"input": ["a"] * 2049}, "input"),
        ({"input": [30_522]}, "input"),
        ({"input": [-1]}, "input"),
        ({"input": "a", "dimensions": 0}, "dimensions"),
        ({"input": "a", "dimensions": 385}, "dimensions"),
    ],
)
async def test_what_cannot_be_embedded_is_refused(
    stand_in: StandsIn, more: Body, param: str
) -> None:
    server, link = await stand_in(embedding)
    with pytest.raises(InvalidRequest) as caught:
        await Llama(link).answer(asked(EMBEDDINGS, more))
    assert caught.value.param == param
    assert server.asked == []


async def test_tokens_of_another_model_are_explained(stand_in: StandsIn) -> None:
    _, link = await stand_in(embedding)
    with pytest.raises(InvalidRequest, match="check_embedding_ctx_length=False"):
        await Llama(link).answer(asked(EMBEDDINGS, {"input": [[15339, 83427]]}))


@pytest.mark.parametrize("at", [0, 3, 70])
async def test_what_is_too_long_is_named(stand_in: StandsIn, at: int) -> None:
    _, link = await stand_in(embedding)
    inputs: list[Any] = ["short"] * 80
    inputs[at] = "long " * 600
    with pytest.raises(ContextLengthExceeded, match=rf"input\[{at}\] has 602"):
        await Llama(link).answer(asked(EMBEDDINGS, {"input": inputs}))
    inputs[at] = [101] * 513
    with pytest.raises(ContextLengthExceeded, match=rf"input\[{at}\] has 513"):
        await Llama(link).answer(asked(EMBEDDINGS, {"input": inputs}))


async def test_each_model_answers_its_own_endpoints(stand_in: StandsIn) -> None:
    _, link = await stand_in(embedding)
    llama = Llama(link)
    for path, model in ((EMBEDDINGS, "completions"), ("completions", EMBEDDINGS)):
        ask = asked(path, {"input": "a", "prompt": "a"})
        crossed = type(ask)(model, ask.body, ask.requested, ask.model)
        with pytest.raises(InvalidRequest, match="does not answer"):
            await llama.answer(crossed)


async def test_the_real_engine(llama: Llama, real_link: Link) -> None:
    texts = ["A cat sits on the mat.", "A kitten is lying on a rug.", "Stocks fell on Monday."]
    reply = await whole(llama, EMBEDDINGS, input=texts)
    vectors = [one["embedding"] for one in reply["data"]]
    assert all(math.hypot(*vector) == pytest.approx(1, abs=1e-4) for vector in vectors)
    assert cosine(vectors[0], vectors[1]) > cosine(vectors[0], vectors[2]) + 0.2
    counted = 0
    for text in texts:
        body = {"content": text, "add_special": True}
        tokens = (await real_link.post("vectors", "/tokenize", body))["tokens"]
        counted += len(tokens)
        own = await whole(llama, EMBEDDINGS, input=tokens, encoding_format="base64")
        assert read(own["data"][0]["embedding"]) == pytest.approx(vectors.pop(0), abs=1e-3)
    assert reply["usage"]["prompt_tokens"] == counted


def cosine(one: list[float], other: list[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))


async def test_the_real_engine_says_which_is_too_long(llama: Llama) -> None:
    with pytest.raises(ContextLengthExceeded, match=r"input\[1\] has 602"):
        await llama.answer(asked(EMBEDDINGS, {"input": ["short", "long " * 600]}))
