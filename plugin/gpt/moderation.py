"""Local moderation: a list of phrases, honest about what it covers, for where no model is set.

It finds open threats, insults to one's face and hatred of groups, in English and Chinese, when
they are said in plain words. It knows no context, no irony, no spelling tricks: a text that it
passes has not been judged harmless. On sentences that it was not written for it found 25 of 32, and
5 of 40 that were chosen to mislead it were false alarms (tests/gpt/moderation_sentences.py).
"""

import asyncio
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from re import Pattern

from plugin.gpt import moderation_words as words

MODEL = "local-phrases-1"

COVERED = ("hate", "hate/threatening", "harassment", "harassment/threatening", "violence")
"""Of violence, threats only."""

NOT_COVERED = (
    "illicit",
    "illicit/violent",
    "self-harm",
    "self-harm/intent",
    "self-harm/instructions",
    "sexual",
    "sexual/minors",
    "violence/graphic",
)
"""Nothing here looks for these: `False` and 0 say that nobody looked."""

_CATEGORIES: Mapping[str, tuple[str, ...]] = {
    "threat": ("harassment", "harassment/threatening", "violence"),
    "insult": ("harassment",),
    "hate": ("hate",),
    "hate_threat": ("hate", "hate/threatening", "violence"),
}
_NOT_MEANT_IN_REPORTS = frozenset({"insult", "hate"})
_NOT_MEANT_IN_FICTION = frozenset({"insult", "hate", "threat"})
_SENTENCE = re.compile(r"(?<=[.!?。！？;；])\s*|\n\s*\n")
_LONGEST_SENTENCE = 1_000
_OVERLAP = 100
_AT_ONCE = 4
"""Sentences between two looks at what else the event loop has to do."""


class Phrases:
    """The patterns; compiled when they are first asked, which takes tens of milliseconds."""

    def categories(self, sentence: str) -> set[str]:
        """What one sentence is flagged for."""
        said = _without_quotes(self._quoted, _plain(sentence))
        kinds = {kind for kind, pattern in self._kinds.items() if pattern.search(said)}
        if kinds and self._reported.search(said):
            kinds -= _NOT_MEANT_IN_REPORTS
        if kinds and self._invented.search(said):
            kinds -= _NOT_MEANT_IN_FICTION
        return {category for kind in kinds for category in _CATEGORIES[kind]}

    @cached_property
    def _kinds(self) -> Mapping[str, Pattern[str]]:
        patterns = {kind: (*words.ENGLISH[kind], *words.CHINESE[kind]) for kind in _CATEGORIES}
        return {kind: re.compile("|".join(any_of)) for kind, any_of in patterns.items()}

    @cached_property
    def _reported(self) -> Pattern[str]:
        return re.compile(words.REPORTED)

    @cached_property
    def _invented(self) -> Pattern[str]:
        return re.compile(words.INVENTED)

    @cached_property
    def _quoted(self) -> Pattern[str]:
        return re.compile(words.QUOTED)


async def flagged(phrases: Phrases, texts: Iterable[str]) -> list[set[str]]:
    """The categories that each text is flagged for."""
    found: list[set[str]] = []
    looked = 0
    for text in texts:
        categories: set[str] = set()
        for sentence in _sentences(text):
            categories |= phrases.categories(sentence)
            looked += 1
            if looked % _AT_ONCE == 0:
                await asyncio.sleep(0)
        found.append(categories)
    return found


def result(categories: set[str]) -> dict[str, object]:
    """The result for one input, as the GPT API writes it; a score is 0 or 1, nothing between."""
    every = (*COVERED, *NOT_COVERED)
    return {
        "flagged": bool(categories),
        "categories": {name: name in categories for name in every},
        "category_scores": {name: float(name in categories) for name in every},
        "category_applied_input_types": {
            name: ["text"] if name in COVERED else [] for name in every
        },
    }


def _sentences(text: str) -> Sequence[str]:
    parts = (part for part in _SENTENCE.split(text) if part and not part.isspace())
    return [
        part[start : start + _LONGEST_SENTENCE]
        for part in parts
        for start in range(0, len(part), _LONGEST_SENTENCE - _OVERLAP)
    ]


def _plain(sentence: str) -> str:
    text = unicodedata.normalize("NFKC", sentence).casefold().replace("’", "'").replace("‘", "'")
    seen = "".join(one for one in text if unicodedata.category(one) != "Cf")
    return " ".join(seen.split())


def _without_quotes(quoted: Pattern[str], sentence: str) -> str:
    """The sentence without what it quotes, unless it is nothing but a quotation."""
    rest = quoted.sub(" … ", sentence)
    return rest if sum(one.isalnum() for one in rest) else sentence
