"""One order out of two: by the words of a question, and by how near its meaning comes."""

from collections.abc import Mapping

_WORDS, _MEANING = 0.4, 0.6
"""What the best of either side counts; chosen with tests/bench/bench_hybrid.py."""


def fuse(
    words: Mapping[int, float], cosines: Mapping[int, float], least: float
) -> dict[int, float]:
    """What each chunk scores, at most 1, best first.

    Either side counts by its distance to the best of that side: scores of bm25 have no scale of
    their own, and cosines differ from model to model. `least` is the cosine below which two texts
    have nothing to do with each other; a chunk without a word and without more is left out.
    """
    by_words = _shares(words, _WORDS)
    by_meaning = _shares({chunk: cosine - least for chunk, cosine in cosines.items()}, _MEANING)
    scores = {
        chunk: by_words.get(chunk, 0.0) + by_meaning.get(chunk, 0.0)
        for chunk in (*by_words, *by_meaning)
    }
    return dict(sorted(scores.items(), key=lambda item: (-item[1], item[0])))


def _shares(scores: Mapping[int, float], whole: float) -> dict[int, float]:
    best = max(scores.values(), default=0.0)
    return {chunk: whole * (score / best) for chunk, score in scores.items() if 0 < score <= best}
