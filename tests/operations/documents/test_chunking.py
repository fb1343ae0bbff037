"""Chunks are cut where a reader would cut, and joined they are the text."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugin.operations.documents.chunking import LARGEST, chunks

ENGLISH = "The quick brown fox jumps over the lazy dog. "
CHINESE = "数据库每天凌晨两点自动备份，保留三十五天。"


@given(
    st.lists(
        st.sampled_from([ENGLISH, CHINESE, "\n", "\n\n", " ", "x" * 900, "密" * 500, "🥛", "。”"])
        | st.text(),
        max_size=30,
    ).map("".join)
)
def test_joined_they_are_the_text_and_none_is_too_large_or_empty(text: str) -> None:
    found = chunks(text)
    assert "".join(found) == text
    assert all(found) or text == ""
    assert all(len(chunk) <= LARGEST for chunk in found)


def test_a_short_text_is_one_chunk() -> None:
    assert chunks("One.\n\nTwo.") == ["One.\n\nTwo."]


def test_paragraphs_stay_whole_where_they_fit() -> None:
    paragraphs = [ENGLISH * 10 + "\n\n", ENGLISH * 10 + "\n \n", ENGLISH * 3]
    assert chunks("".join(paragraphs)) == [paragraphs[0], paragraphs[1] + paragraphs[2]]


@pytest.mark.parametrize(
    ("sentence", "largest"), [(ENGLISH, LARGEST), (CHINESE, LARGEST // 2), ("你好吗？”", 500)]
)
def test_a_long_paragraph_is_cut_between_sentences(sentence: str, largest: int) -> None:
    found = chunks(sentence * 200)
    assert len(found) > 1
    for chunk in found:
        assert len(chunk) % len(sentence) == 0
        assert len(chunk) <= largest
    # no sliver is left beside a full one
    assert all(len(chunk) > largest * 0.8 for chunk in found[:-1])


def test_a_long_sentence_is_cut_at_commas_then_between_words() -> None:
    assert all(chunk.endswith("，") for chunk in chunks("一二三四五六七，" * 100))
    assert all(chunk.endswith(" ") for chunk in chunks("word " * 1000))


@pytest.mark.parametrize(
    "text",
    [".", "\n", " ", "\n ", ". ", '."', "。", "。”", ",", "x", "密", "\f", ".)]\"' "],
)
def test_no_text_is_slow(text: str) -> None:
    whole = text * (200_000 // len(text))
    started = time.perf_counter()
    assert "".join(chunks(whole)) == whole
    assert time.perf_counter() - started < 3
