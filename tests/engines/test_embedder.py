import base64
import struct
from array import array
from typing import Any

import orjson
import pytest

from plugin.engines.catalog import Answering, Catalog, Model
from plugin.engines.embedder import DEFAULT, CatalogEmbedder, open_embedder
from plugin.engines.engine import Ask, Events, Whole
from plugin.engines.scripted import DIMENSIONS, Scripted
from plugin.errors import EngineUnavailable, InvalidRequest, UpstreamRefused
from plugin.messages import AnsweredBy, Usage
from tests.pools.threads import some_threads

ENGLISH = Model("all-minilm-l6-v2", "embedding", "x", languages=("en",))
ANY = Model("text-embedding-3-small", "embedding", "x")


class Fixed:
    """An engine that answers with one body."""

    def __init__(self, data: Any) -> None:
        self._body = data if isinstance(data, bytes) else orjson.dumps({"data": data})

    async def answer(self, _ask: Ask) -> Whole | Events:
        return Whole(self._body, Usage(), AnsweredBy("fixed"))


def embedder(engine: Any, model: Model = ENGLISH) -> CatalogEmbedder:
    return CatalogEmbedder(Answering(DEFAULT, model, engine), some_threads())


async def test_each_text_has_a_vector_of_length_one() -> None:
    engine = Scripted()
    one, other, again = await embedder(engine).embed(["a", "b", "a"])
    assert isinstance(one, array)
    assert one == again != other
    assert len(one) == DIMENSIONS
    assert sum(number**2 for number in one) == pytest.approx(1)
    [asked] = engine.asked
    assert (asked.path, asked.requested, asked.model) == ("embeddings", DEFAULT, ENGLISH.id)
    assert asked.body["encoding_format"] == "base64"


async def test_numbers_and_another_order_are_understood() -> None:
    packed = base64.b64encode(struct.pack("<2f", 3, 4)).decode()
    data = [{"index": 1, "embedding": [0, 2]}, {"index": 0, "embedding": packed}]
    first, second = await embedder(Fixed(data)).embed(["a", "b"])
    assert first.tolist() == pytest.approx([0.6, 0.8])
    assert second.tolist() == [0, 1]


@pytest.mark.parametrize(
    "data",
    [
        b"no JSON",
        b"[]",
        b"{}",
        None,
        "text",
        [1],
        [],
        [{"index": 0, "embedding": []}],
        [{"index": 0, "embedding": [0.0, 0.0]}],
        [{"index": 0, "embedding": [1e300, 1]}],
        [{"index": 0, "embedding": ["a"]}],
        [{"index": 0, "embedding": "=?"}],
        [{"index": 0, "embedding": "AAA"}],
        [{"embedding": [1.0]}],
        [{"index": 0}],
        [{"index": 0, "embedding": [1.0]}] * 2,
    ],
)
async def test_what_is_no_vector_is_an_engine_that_is_not_there(data: Any) -> None:
    with pytest.raises(EngineUnavailable, match=r"gave no vectors"):
        await embedder(Fixed(data)).embed(["a"])


@pytest.mark.parametrize(
    ("status", "raised"), [(400, InvalidRequest), (413, InvalidRequest), (401, UpstreamRefused)]
)
async def test_a_refused_text_is_told_from_a_refused_caller(
    status: int, raised: type[Exception]
) -> None:
    engine = Scripted(refuses=UpstreamRefused("No.", status=status))
    with pytest.raises(raised):
        await embedder(engine).embed(["a"])


@pytest.mark.parametrize(
    ("text", "english", "any_writing"),
    [
        ("How do I reset my password?", True, True),
        ("Où est l'été?", True, True),
        ("怎么找回密码？", False, True),
        ("VPN 怎么连接", False, True),
        ("What does 密码 mean in English?", True, True),
        ("パスワード", False, True),
        ("비밀번호", False, True),
        ("где мой ключ", False, True),
        ("1234 5678", False, False),
        ("?!", False, False),
        ("", False, False),
    ],
)
def test_a_model_for_english_reads_latin_letters(
    text: str, english: bool, any_writing: bool
) -> None:
    assert embedder(Scripted()).reads(text) is english
    assert embedder(Scripted(), ANY).reads(text) is any_writing


def test_it_is_what_the_name_leads_to() -> None:
    engine = Scripted()
    found = open_embedder(Catalog([(ENGLISH, engine)], {DEFAULT: ENGLISH.id}), some_threads())
    assert found is not None
    assert found.model == ENGLISH.id
    assert 0 < found.least < 1
    assert open_embedder(Catalog([], {}), some_threads()) is None
    chats = Catalog([(Model("chat", "text", "x"), engine)], {DEFAULT: "chat"})
    assert open_embedder(chats, some_threads()) is None
