"""Vectors of texts for the plugin's own use, by the catalog's model for embeddings."""

import base64
import math
import re
from array import array
from collections.abc import Sequence
from operator import itemgetter
from typing import Any

import orjson

from plugin.engines.catalog import Answering, Catalog
from plugin.engines.engine import Ask, Whole
from plugin.errors import EngineUnavailable, InvalidRequest, ModelNotFound, UpstreamRefused
from plugin.pools.threads import Threads

DEFAULT = "text-embedding-ada-002"
"""The name that is asked for; an alias says which model that is."""

_ENGLISH_ALONE = ("en",)
_LEAST = {"text-embedding-ada-002": 0.72}
_USUAL_LEAST = 0.2
"""Measured for all-MiniLM-L6-v2 with tests/bench/bench_hybrid.py."""

_OF_A_TEXT = frozenset({400, 413, 422})
"""Statuses by which an upstream says that it does not take what was sent."""

_LETTERS = re.compile(r"[^\W\d_]")
_LATIN = re.compile("[A-Za-z\u00c0-\u024f]")


class CatalogEmbedder:
    """Asks the engine that answers for `DEFAULT`; what it promises is told in `Embedder`."""

    def __init__(self, answering: Answering, threads: Threads) -> None:
        self._answering = answering
        self._threads = threads

    @property
    def model(self) -> str:
        """The model's own name."""
        return self._answering.model.id

    @property
    def least(self) -> float:
        """The cosine below which two texts have nothing to do with each other."""
        return _LEAST.get(self.model, _USUAL_LEAST)

    def reads(self, text: str) -> bool:
        """Whether the model knows the writing of most of a text."""
        letters = len(_LETTERS.findall(text))
        if self._answering.model.languages != _ENGLISH_ALONE:
            return letters > 0
        return 0 < letters < 2 * len(_LATIN.findall(text))

    async def embed(self, texts: Sequence[str]) -> "list[array[float]]":
        """A vector of length one for each text."""
        body = {"model": DEFAULT, "input": list(texts), "encoding_format": "base64"}
        ask = Ask("embeddings", body, DEFAULT, self.model)
        try:
            answer = await self._answering.engine.answer(ask)
        except UpstreamRefused as error:
            if error.answered[0] in _OF_A_TEXT:
                raise InvalidRequest(error.detail, param="input") from error
            raise
        if not isinstance(answer, Whole):
            raise _unreadable(self.model)
        return await self._threads.run(_read, self.model, answer.body, len(texts))


def open_embedder(catalog: Catalog, threads: Threads) -> CatalogEmbedder | None:
    """What makes vectors, if the catalog has a model for them."""
    try:
        answering = catalog.find(DEFAULT)
    except ModelNotFound:
        return None
    return CatalogEmbedder(answering, threads) if answering.model.kind == "embedding" else None


def _read(model: str, body: bytes, count: int) -> "list[array[float]]":
    try:
        data = orjson.loads(body)["data"]
        data.sort(key=itemgetter("index"))
        vectors = [_unit(_floats(one["embedding"])) for one in data]
    except (ValueError, TypeError, KeyError, AttributeError):
        raise _unreadable(model) from None
    if len(vectors) != count or not all(vectors):
        raise _unreadable(model)
    return vectors


def _floats(embedding: Any) -> "array[float]":
    """Base64 of little-endian numbers, or a list from an upstream that knows no base64."""
    if not isinstance(embedding, str):
        return array("f", embedding)
    numbers = array("f")
    numbers.frombytes(base64.b64decode(embedding))
    return numbers


def _unit(vector: "array[float]") -> "array[float]":
    length = math.sqrt(math.fsum(number * number for number in vector))
    if not 0 < length < math.inf:
        raise ValueError
    return array("f", [number / length for number in vector])


def _unreadable(model: str) -> EngineUnavailable:
    return EngineUnavailable(
        f"The model {model} gave no vectors that can be read; look at what answers for it.",
        headers={"retry-after": "1"},
    )
