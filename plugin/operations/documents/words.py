"""Words of a text for full-text search: those of alphabets whole, Han, Kana and Hangul in pairs.

A tokenizer that parts words at spaces finds no two-character Chinese word; a pair at each character
does. What is stored and what is asked for pass through the same functions.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_PAIRED = (
    "\u3005\u3007\u3041-\u3096\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3\uf900-\ufaff\U00020000-\U0003ffff"
)
_RUN = re.compile(rf"[{_PAIRED}]+|[^\W_{_PAIRED}]+")
_IS_PAIRED = re.compile(rf"[{_PAIRED}]")
_ACCENTS = re.compile("[\u0300-\u036f]")
_LONGEST_WORD = 50
_MOST_PHRASES = 60

# What a question is put with, and what it is not about.
_FUNCTION_WORDS = frozenset(
    """
    a about am an and any are as at be been but by can could did do does for from had has have
    how i if in into is it its me my of on or our please shall should so tell than that the
    their them then there these they this to was we were what when where which who whom whose
    why will with would you your
    """.split()  # noqa: SIM905 - eighty words read best as words
)
_QUESTION_PHRASES = re.compile(
    "请问|请告诉我|告诉我|为什么|为何|什么时候|什么|怎么样|怎么办|怎么|怎样|如何|哪里|哪个|哪些|哪儿|哪位|"
    "多少|多久|多长时间|几个|是不是|是否|能不能|能否|可不可以|可以|有没有|我们|你们|他们|我的|你的|应该|需要"
)
_PARTICLES = frozenset("的了吗呢吧啊呀嘛么我你他她它们")


# Measured with tests/bench/bench_documents.py.
_SIDE_BY_SIDE = 0.3
_SINGLE = 0.1


@dataclass(frozen=True, slots=True)
class Phrase:
    """Words that stand side by side, or what a word begins with; `weight` is what it counts."""

    words: tuple[str, ...]
    weight: float = 1.0
    is_prefix: bool = False


def words(text: str) -> Iterator[str]:
    """The words of a text in their order, without case and accents.

    A run of Han characters gives a pair at each character, and its last character alone: so every
    character begins a word, and a single one can be asked for as a beginning.
    """
    for run in _runs(text):
        if _IS_PAIRED.match(run):
            yield from _pairs(run)
            yield run[-1]
        else:
            yield run[:_LONGEST_WORD]


def phrases(question: str) -> list[Phrase]:
    """What to look for: words of a question, those side by side, and single Han characters.

    Words that only put the question are left out, unless there are no others.
    """
    plain = unicodedata.normalize("NFKC", question)
    asked = [
        run
        for run in _runs(_QUESTION_PHRASES.sub(" ", plain))
        if run not in _FUNCTION_WORDS and run not in _PARTICLES
    ]
    runs = asked or list(_runs(plain))
    found = dict.fromkeys([*_sequences(runs), *_singles(runs)])
    return list(found)[:_MOST_PHRASES]


def _sequences(runs: Sequence[str]) -> Iterator[Phrase]:
    before: str | None = None
    for run in runs:
        parts = [run[:_LONGEST_WORD]]
        if _IS_PAIRED.match(run):
            before = None
            parts = [pair for pair in _pairs(run) if _PARTICLES.isdisjoint(pair)]
        for part in parts:
            yield Phrase((part,))
            if before is not None:
                yield Phrase((before, part), _SIDE_BY_SIDE)
            before = part
        if _IS_PAIRED.match(run):
            before = None


def _singles(runs: Sequence[str]) -> Iterator[Phrase]:
    """Single characters, which also tell of a word that a text writes with others beside it."""
    for run in runs:
        if _IS_PAIRED.match(run):
            weight = 1.0 if len(run) == 1 else _SINGLE
            yield from (Phrase((one,), weight, is_prefix=True) for one in run)


def _pairs(run: str) -> Iterator[str]:
    return (run[start : start + 2] for start in range(len(run) - 1))


def _runs(text: str) -> Iterator[str]:
    folded = _ACCENTS.sub("", unicodedata.normalize("NFKD", text).casefold())
    return iter(_RUN.findall(unicodedata.normalize("NFC", folded)))
