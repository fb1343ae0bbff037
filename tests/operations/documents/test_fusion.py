from hypothesis import given
from hypothesis import strategies as st

from plugin.operations.documents.fusion import fuse

LEAST = 0.2
chunks = st.integers(0, 20)
words = st.dictionaries(chunks, st.floats(0.001, 50))
cosines = st.dictionaries(chunks, st.floats(-1, 1))


def test_the_best_of_both_scores_one() -> None:
    assert fuse({1: 3.0, 2: 1.5}, {1: 0.9, 3: 0.9}, LEAST) == {1: 1.0, 3: 0.6, 2: 0.2}


def test_what_is_not_near_counts_by_its_words_alone() -> None:
    assert fuse({1: 3.0}, {1: 0.1, 2: 0.2, 3: -0.5}, LEAST) == {1: 0.4}
    assert fuse({}, {2: 0.2}, LEAST) == {}


@given(words, cosines)
def test_either_order_is_kept_where_the_other_side_says_nothing(
    by_words: dict[int, float], by_meaning: dict[int, float]
) -> None:
    alone = list(fuse(by_words, {}, LEAST))
    assert sorted(alone, key=lambda chunk: (-by_words[chunk], chunk)) == alone
    near = list(fuse({}, by_meaning, LEAST))
    assert [by_meaning[chunk] for chunk in near] == sorted(
        (cosine for cosine in by_meaning.values() if cosine > LEAST), reverse=True
    )


@given(words, cosines)
def test_scores_fall_and_lie_between_nothing_and_one(
    by_words: dict[int, float], by_meaning: dict[int, float]
) -> None:
    scores = list(fuse(by_words, by_meaning, LEAST).values())
    assert scores == sorted(scores, reverse=True)
    assert all(0 < score <= 1 + 1e-9 for score in scores)
    assert set(by_words) <= set(fuse(by_words, by_meaning, LEAST))
