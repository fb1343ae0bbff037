"""Embeddings of the embedded model: texts or its own token ids, as floats or base64."""

import math
from array import array
from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

import orjson

from plugin.engines.engine import Ask, Whole
from plugin.engines.llama.link import Link
from plugin.engines.llama.token_ids import Prompt, are_token_ids, check_known
from plugin.errors import ContextLengthExceeded, InvalidRequest
from plugin.messages import AnsweredBy, Usage

Input = TypeVar("Input", bound=Prompt)

DIMENSIONS = 384
CONTEXT = 512
MOST_INPUTS = 2048

_VOCABULARY = 30_522
_PATH = "/v1/embeddings"
_INPUTS, _CHARACTERS = 64, 1024
"""Inputs, and characters of them, that the engine gets at a time: at most about a second of work,
so that callers take turns."""


async def embed(link: Link, ask: Ask, answered_by: AnsweredBy) -> Whole:
    """Answer `embeddings`."""
    body = ask.body
    inputs = _inputs(body["input"])
    dimensions = _dimensions(body)
    floats = body.get("encoding_format", "float") != "base64"
    vectors, usage = list[str](), Usage()
    for some in slices(inputs):
        told, tokens = await _vectors(link, some, len(vectors))
        vectors += told
        usage.prompt_tokens += tokens
    reply = {
        "object": "list",
        "model": ask.requested,
        "data": [
            {
                "object": "embedding",
                "index": index,
                "embedding": _told(vector, dimensions, floats=floats),
            }
            for index, vector in enumerate(vectors)
        ],
        "usage": {"prompt_tokens": usage.prompt_tokens, "total_tokens": usage.prompt_tokens},
    }
    return Whole(orjson.dumps(reply), usage, answered_by)


def slices(inputs: Sequence[Input]) -> Iterator[list[Input]]:
    """Inputs as they go to the engine: in order, as many at a time as it reads in about a second.

    A token id is as long as two characters.
    """
    some: list[Input] = []
    size = 0
    for item in inputs:
        length = len(item) if isinstance(item, str) else 2 * len(item)
        if some and (len(some) == _INPUTS or size + length > _CHARACTERS):
            yield some
            some, size = [], 0
        some.append(item)
        size += length
    if some:
        yield some


async def encoded_vectors(link: Link, texts: Sequence[str]) -> list[str]:
    """The vector of each text, as base64 of little-endian float32.

    Raises `ContextLengthExceeded` without saying for which text.
    """
    return [vector for some in slices(texts) for vector in (await _asked(link, some))[0]]


async def _vectors(link: Link, inputs: Sequence[Prompt], begin: int) -> tuple[list[str], int]:
    """The vectors of some inputs as the engine writes them, and how many tokens they had."""
    try:
        return await _asked(link, inputs)
    except ContextLengthExceeded:
        await _say_which(link, inputs, begin)
        raise


async def _asked(link: Link, inputs: Sequence[Prompt]) -> tuple[list[str], int]:
    body = {"input": inputs, "encoding_format": "base64"}
    answer = await link.post("vectors", _PATH, body)
    return [each["embedding"] for each in answer["data"]], answer["usage"]["prompt_tokens"]


async def _say_which(link: Link, inputs: Sequence[Prompt], begin: int) -> None:
    """Raise for the input that is too long; the engine does not say which it is."""
    for index, item in enumerate(inputs, begin):
        tokens: Sequence[int] = item if not isinstance(item, str) else ()
        if isinstance(item, str):
            asked = {"content": item, "add_special": True}
            tokens = (await link.post("vectors", "/tokenize", asked))["tokens"]
        if len(tokens) > CONTEXT:
            raise ContextLengthExceeded(
                f"This model's maximum context length is {CONTEXT} tokens, however input[{index}] "
                f"has {len(tokens)}. Split it into shorter texts.",
                param="input",
            )


def _told(vector: str, dimensions: int, *, floats: bool) -> str | list[float]:
    """A vector as the caller wants it; the engine gives base64 of little-endian float32."""
    if dimensions == DIMENSIONS and not floats:
        return vector
    numbers = array("f", b64decode(vector))
    if dimensions < DIMENSIONS:
        numbers = _unit(numbers[:dimensions])
    return numbers.tolist() if floats else b64encode(numbers.tobytes()).decode()


def _unit(numbers: "array[float]") -> "array[float]":
    length = math.hypot(*numbers)
    return array("f", [number / length for number in numbers]) if length else numbers


def _dimensions(body: Mapping[str, Any]) -> int:
    dimensions = int(body.get("dimensions", DIMENSIONS))
    if not 1 <= dimensions <= DIMENSIONS:
        raise InvalidRequest(
            f"dimensions is {dimensions}; the embedded model gives 1 to {DIMENSIONS}.",
            param="dimensions",
        )
    return dimensions


def _inputs(given: Any) -> list[Prompt]:
    """A text, texts, token ids, or lists of them, as a list.

    Token ids are read as the embedded model's own (WordPiece, 30,522); those that an SDK counts for
    OpenAI's models mean other words here.
    """
    if not given and given != 0:
        raise InvalidRequest("input is empty; there is nothing to embed.", param="input")
    inputs: list[Prompt] = (
        [given] if isinstance(given, str) or are_token_ids(given) else list(given)
    )
    if len(inputs) > MOST_INPUTS:
        raise InvalidRequest(
            f"input has {len(inputs)} items; at most {MOST_INPUTS} go into a request.",
            param="input",
        )
    for index, item in enumerate(inputs):
        _check(item, index)
    return inputs


def _check(item: Any, index: int) -> None:
    if not (item if isinstance(item, str) else are_token_ids(item)):
        raise InvalidRequest(
            f"input[{index}] is neither a text that is not empty nor a list of token ids.",
            param="input",
        )
    if not isinstance(item, str):
        check_known(item, _VOCABULARY, f"input[{index}]")
